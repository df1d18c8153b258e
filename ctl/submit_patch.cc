#include <nlohmann/json.hpp>

#include "ctl/submit_options.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {

nlohmann::json SubmitOptions::to_patch(Context& context) const {
  NewTask task;
  TaskSpec& spec = task.spec;
  set_command(spec);
  if (env_all_) set_sent_environment(context, spec);
  set_asked_environment(context, spec);
  set_start(context, task);
  set_retries(spec);
  set_simple(spec);
  if (cwd_) spec.cwd = working_folder(cwd_);
  // What differs from the defaults, and what was asked to be as by default.
  nlohmann::json patch = to_json(task);
  if (name_) patch["name"] = spec.name;
  if (queue_) patch["queue"] = spec.queue;
  if (priority_) patch["priority"] = spec.priority;
  if (timeout_) patch["timeout_ms"] = spec.timeout_ms;
  if (progress_timeout_) patch["progress_timeout_ms"] = spec.progress_timeout_ms;
  if (grace_) patch["grace_ms"] = spec.grace_ms;
  if (keep_) patch["keep_ms"] = spec.keep_ms;
  if (max_attempts_) patch["max_attempts"] = spec.max_attempts;
  if (max_lost_) patch["max_lost"] = spec.max_lost;
  if (on_lost_) patch["on_lost"] = to_string(spec.on_lost);
  if (backoff_) patch["backoff"]["kind"] = to_string(spec.backoff.kind);
  if (retry_delay_) patch["backoff"]["initial_ms"] = spec.backoff.initial_ms;
  if (retry_max_delay_) patch["backoff"]["max_ms"] = spec.backoff.max_ms;
  return patch;
}

}  // namespace taskd::ctl
