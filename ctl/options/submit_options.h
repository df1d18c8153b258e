// What a task is to be, from the command line: the options of daemon/task/task_option.h, and what
// this process brings along (its folder, its environment). They become the JSON of the API.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "ctl/options/args.h"
#include "daemon/task/array_range.h"
#include "daemon/task/task_option.h"

namespace taskd::ctl {

// Which of the options a verb has.
enum class OptionsOf { submit, edit, schedule, workflow };

class SubmitOptions {
 public:
  void declare(Args& args, OptionsOf verb = OptionsOf::submit);

  // Each throws UsageError: 64 for a wrong option, 65 for text that JSON cannot carry; and says on
  // standard error what it leaves out. Standard input is read by the first of them.
  //
  // The body of a submit: with this process's folder, environment and attributes; or with --like
  // what the options change about another task.
  nlohmann::json to_body(Context& context) const;
  // The same where the command may be missing: what the tasks of a bulk submit have in common.
  nlohmann::json to_defaults(Context& context) const;
  // Only what was given, as PATCH /v1/tasks/{id} takes it.
  nlohmann::json to_patch(Context& context) const;

  // What of to_defaults() makes the tasks those that they are: not what they are sent with unasked,
  // but for the folder, nor a moment that "--at 12:00" stands for today.
  std::string identity(nlohmann::json defaults) const;
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
  // Whether standard input becomes a part of the task.
  bool takes_stdin() const { return text_of("--stdin") == "-" || text_of("--payload") == "-"; }

 private:
  // A flag with what was given.
  struct Given {
    const TaskOption* option;
    const OptionFlag* flag;
    std::optional<std::string> text = {};
    std::vector<std::string> texts = {};
    bool is_set = false;

    bool any() const { return text || !texts.empty() || is_set; }
  };

  // Empty: it was not given.
  std::optional<std::string> text_of(std::string_view flag) const;
  bool is_given(const TaskOption& option) const;
  void check_command() const;
  // The variables that are sent: PATH LANG LANGUAGE LC_… TZ TMPDIR, or all with --env-all.
  nlohmann::json sent_environment(Context& context) const;
  void check_start(Context& context, const nlohmann::json& body) const;
  void check_fields(const nlohmann::json& body) const;
  // Says what will go wrong unless it changes before the task starts: --cwd or --stdin name nothing
  // that is there now. It may still come, so nothing is refused.
  void warn_of_missing_places(Context& context) const;

  std::vector<Given> given_;
  std::vector<std::string> argv_;
  bool argv_given_ = false;
  std::optional<std::string> like_, idempotency_key_;
  bool env_all_ = false;
  bool is_repeatable_ = false;
};

// Whether a submit's body that options made says "--after last", which submit() resolves.
bool comes_after_last(const nlohmann::json& body);

// Says on standard error what the answer to a submit tells that its id does not: that the task was
// there already by its unique key, or has ended at once since one that it was to follow had failed.
void tell_of_answer(Context& context, const Client& client, const nlohmann::json& answer);

}  // namespace taskd::ctl
