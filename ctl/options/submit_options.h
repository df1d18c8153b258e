// The options `submit`, `run` and `schedule add` share: what to run, how, and when.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "ctl/options/args.h"
#include "ctl/options/constraint_options.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

class SubmitOptions {
 public:
  void declare(Args& args);
  // The same without those that say when, and that bind it to others by its unique key: for what is
  // no submit of its own.
  void declare_task(Args& args);
  void declare_unique(Args& args) { constraints_.declare_unique(args); }
  // Those that say when it may start.
  void declare_start(Args& args);

  // What the options ask for. The environment, the working folder and the umask are this process's.
  // Throws UsageError: 64 for a wrong option, 65 for text that JSON cannot carry. Says what it
  // leaves out.
  NewTask to_task(Context& context) const;
  // The body of a submit: that task, or with --like what the options change about another.
  nlohmann::json to_body(Context& context) const;
  // The same where the command may be missing: what the tasks of a bulk submit have in common.
  NewTask to_defaults(Context& context) const;
  // A submit's body for the task that these options made: also what they ask to be as by default.
  nlohmann::json body_of(const NewTask& task) const;
  // What the options change about a task there is, as PATCH /v1/tasks/{id} takes it: only what was
  // given. The environment, the working folder and the umask are not touched unasked.
  nlohmann::json to_patch(Context& context) const;
  // What of those defaults makes the tasks those that they are: not the environment and the umask
  // they are sent with unasked, nor a moment that "--at 12:00" stands for today.
  std::string identity(const NewTask& defaults) const;

  void declare_idempotency_key(Args& args);
  // What is submitted is known by a key of its own, so that the same command may be given again
  // later: then a moment of --at that has passed is only said.
  void set_repeatable() { is_repeatable_ = true; }

  // Posts it, with the Idempotency-Key if there is one.
  nlohmann::json send(const Client& client, const std::string& target,
                      const nlohmann::json& body) const;
  // Submits it, with the Idempotency-Key if there is one. Returns the answer: the task. Says so if
  // it was there already.
  nlohmann::json submit(Context& context, const Client& client, nlohmann::json body) const;

  // The Idempotency-Key of the options. Throws UsageError (64) for one that is none.
  std::optional<std::string> idempotency_key() const;
  const std::vector<std::string>& command() const { return argv_; }
  // The range of --array. Throws UsageError (64).
  std::optional<ArrayRange> array() const;
  bool is_like_another() const { return like_.has_value(); }
  // Whether to_task() reads this process's standard input.
  bool takes_stdin() const { return stdin_ == "-" || payload_ == "-"; }

 private:
  void set_command(TaskSpec& spec) const;
  void set_stdin(TaskSpec& spec) const;
  void set_sent_environment(Context& context, TaskSpec& spec) const;
  void set_asked_environment(Context& context, TaskSpec& spec) const;
  void set_simple(TaskSpec& spec) const;
  void set_start(Context& context, NewTask& task) const;
  // Says what will go wrong unless it changes before the task starts: --cwd or --stdin name nothing
  // that is there now. It may still come, so nothing is refused.
  void warn_of_missing_places(Context& context) const;
  void set_retries(TaskSpec& spec) const;

  std::vector<std::string> argv_;
  bool argv_given_ = false;
  std::optional<std::string> shell_, name_, queue_, priority_, delay_, at_, timeout_, grace_;
  std::optional<std::string> progress_timeout_, handler_, payload_;
  std::optional<std::string> max_attempts_, retry_delay_, retry_max_delay_, backoff_, on_lost_;
  std::optional<std::string> on_bad_result_;
  std::optional<std::string> like_, array_, max_lost_, cwd_, umask_, stdin_, keep_;
  std::optional<std::string> user_, idempotency_key_;
  std::vector<std::string> retry_on_, no_retry_on_, env_, labels_, notify_;
  ConstraintOptions constraints_;
  bool hold_ = false;
  bool env_all_ = false;
  bool is_repeatable_ = false;
};

// The folder a task runs in: `option` made absolute, or this process's own. Throws UsageError (65).
std::string working_folder(const std::optional<std::string>& option);

// The umask of a task: `option`, or this process's own. Throws UsageError (64). One thread.
std::uint32_t umask_of(const std::optional<std::string>& option);

// All of this process's standard input. Throws UsageError (65): more than `max_bytes`, not text.
std::string read_stdin(std::string_view option, std::size_t max_bytes);

// The values of --notify. Throws UsageError (64).
std::vector<Notify> notify_flag(const std::vector<std::string>& texts);

// True for the variables that are sent unasked: PATH LANG LANGUAGE LC_… TZ TMPDIR.
bool is_sent_unasked(std::string_view variable);

// Whether a submit's body that options made says "--after last", which submit() resolves.
bool comes_after_last(const nlohmann::json& body);

// Says on standard error what the answer to a submit tells that its id does not: that the task was
// there already by its unique key, or has ended at once since one that it was to follow had failed.
void tell_of_answer(Context& context, const Client& client, const nlohmann::json& answer);

}  // namespace taskd::ctl
