// The task described by the command line: the options of daemon/task/task_option.h, plus the folder
// and environment of this process. Becomes the JSON of the API.
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

// Which options a verb has.
enum class OptionsOf { submit, edit, schedule, workflow };

class SubmitOptions {
 public:
  void declare(Args& args, OptionsOf verb = OptionsOf::submit);

  // Each throws UsageError: 64 for an invalid option, 65 for text that JSON cannot represent. Each
  // says on stderr what it omits, and reads stdin if takes_stdin(): call only one of them.
  //
  // The body of a submit: with this process's folder, environment and attributes; with --like, only
  // the changes to the other task.
  nlohmann::json to_body(Context& context) const;
  // The same, but the command may be missing: the defaults of a bulk submit.
  nlohmann::json to_defaults(Context& context) const;
  // Only the given options, for PATCH /v1/tasks/{id}.
  nlohmann::json to_patch(Context& context) const;

  // What tells two bulk submits apart, from to_defaults(). Leaves out the values that taskctl fills
  // in by itself (environment, umask, niceness) and the start time, since "12:00" means another
  // moment tomorrow. Keeps the folder.
  std::string identity(nlohmann::json defaults) const;
  // Call if repeating the submit creates nothing twice (a bulk submit): an --at in the past is then
  // a warning, not an error.
  void set_repeatable() { is_repeatable_ = true; }

  // Posts `body`, with the Idempotency-Key if there is one.
  nlohmann::json send(const Client& client, const std::string& target,
                      const nlohmann::json& body) const;
  // Submits the task, with the Idempotency-Key if there is one, and returns the answer. Says if the
  // task already existed.
  nlohmann::json submit(Context& context, const Client& client, nlohmann::json body) const;

  // Throws UsageError (64) if the key is invalid.
  std::optional<std::string> idempotency_key() const;
  const std::vector<std::string>& command() const { return argv_; }
  // The range of --array. Throws UsageError (64).
  std::optional<ArrayRange> array() const;
  bool is_like_another() const { return like_.has_value(); }
  // Whether standard input becomes part of the task.
  bool takes_stdin() const { return text_of("--stdin") == "-" || text_of("--payload") == "-"; }

 private:
  // A flag and its values.
  struct Given {
    const TaskOption* option;
    const OptionFlag* flag;
    std::optional<std::string> text = {};
    std::vector<std::string> texts = {};
    bool is_set = false;

    bool any() const { return text || !texts.empty() || is_set; }
  };

  // Empty if not given.
  std::optional<std::string> text_of(std::string_view flag) const;
  bool is_given(const TaskOption& option) const;
  void check_command() const;
  // The variables to send: PATH LANG LANGUAGE LC_… TZ TMPDIR, or all with --env-all.
  nlohmann::json sent_environment(Context& context) const;
  void check_start(Context& context, const nlohmann::json& body) const;
  void check_fields(const nlohmann::json& body) const;
  // Warns if --cwd or --stdin do not exist. They may be created before the task starts, so this is
  // no error.
  void warn_of_missing_places(Context& context) const;

  std::vector<Given> given_;
  std::vector<std::string> argv_;
  bool argv_given_ = false;
  std::optional<std::string> like_, idempotency_key_;
  bool env_all_ = false;
  bool is_repeatable_ = false;
};

// Whether the body contains "--after last", which the daemon resolves. A bulk submit refuses it.
bool comes_after_last(const nlohmann::json& body);

// Prints what the answer to a submit says beyond the id: that the task already existed (same unique
// key), or ended at once because a dependency had failed.
void tell_of_answer(Context& context, const Client& client, const nlohmann::json& answer);

}  // namespace taskd::ctl
