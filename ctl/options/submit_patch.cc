#include <nlohmann/json.hpp>

#include "ctl/options/submit_options.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {

nlohmann::json SubmitOptions::body_of(const NewTask& task) const {
  const TaskSpec& spec = task.spec;
  // What differs from the defaults, and what was asked to be as by default: a handler or a queue
  // may have others.
  nlohmann::json body = to_json(task);
  if (payload_)
    body["payload"] = spec.payload.empty() ? nlohmann::json() : nlohmann::json::parse(spec.payload);
  if (stdin_ == "-") body["stdin"]["text"] = spec.stdin_text;  // also where it is empty
  if (umask_) body["umask"] = format_umask(spec.umask);
  if (name_) body["name"] = spec.name;
  if (queue_) body["queue"] = spec.queue;
  if (priority_) body["priority"] = spec.priority;
  if (timeout_) body["timeout_ms"] = spec.timeout_ms;
  if (progress_timeout_) body["progress_timeout_ms"] = spec.progress_timeout_ms;
  if (grace_) body["grace_ms"] = spec.grace_ms;
  if (keep_) body["keep_ms"] = spec.keep_ms;
  if (max_attempts_) body["max_attempts"] = spec.max_attempts;
  if (max_lost_) body["max_lost"] = spec.max_lost;
  if (on_lost_) body["on_lost"] = to_string(spec.on_lost);
  if (on_bad_result_) body["on_bad_result"] = to_string(spec.on_bad_result);
  if (backoff_) body["backoff"]["kind"] = to_string(spec.backoff.kind);
  if (retry_delay_) body["backoff"]["initial_ms"] = spec.backoff.initial_ms;
  if (retry_max_delay_) body["backoff"]["max_ms"] = spec.backoff.max_ms;
  constraints_.add_asked(spec.constraints, body);
  return body;
}

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
  if (umask_) spec.umask = umask_of(umask_);
  warn_of_missing_places(context);
  return body_of(task);
}

}  // namespace taskd::ctl
