#include "ctl/options/submit_options.h"

#include <sys/stat.h>

#include <algorithm>

#include "ctl/base/failure.h"
#include "ctl/net/problem_text.h"
#include "ctl/options/flag_json.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr std::int64_t kPastMs = 60'000;  // a moment this far back still means "now"

bool is_sent_unasked(std::string_view variable) {
  return variable == "PATH" || variable == "LANG" || variable == "LANGUAGE" || variable == "TZ" ||
         variable == "TMPDIR" || variable.starts_with("LC_");
}

bool has_option(OptionsOf verb, const TaskOption& option) {
  switch (verb) {
    case OptionsOf::submit:
      return true;
    case OptionsOf::edit:
      return option.why_not_edited.empty() && option.field != "on_dependency_failed";
    case OptionsOf::schedule:
      return option.in_schedule && option.field != "on_dependency_failed";
    case OptionsOf::workflow:
      return option.in_schedule && option.why_not_edited.empty() &&
             option.field != "on_dependency_failed";
  }
  return false;
}

// --key and --unique set the name that their other flags refer to.
bool names_option(const TaskOption& option, const OptionFlag& flag) {
  return !flag.member.empty() && flag.long_name().substr(2) == option.field;
}

}  // namespace

void SubmitOptions::declare(Args& args, OptionsOf verb) {
  args.command(argv_, argv_given_);
  given_.clear();
  for (const TaskOption& option : task_options()) {
    for (const OptionFlag& flag : option.flags) {
      if (!flag.names.empty() && has_option(verb, option)) given_.push_back({&option, &flag});
    }
  }
  for (Given& given : given_) {
    const OptionFlag& flag = *given.flag;
    if (flag.text == FlagText::none) {
      args.flag(flag.names, given.is_set, flag.help);
    } else if (flag.is_repeatable()) {
      args.list(flag.names, flag.value, given.texts, flag.help);
    } else {
      args.option(flag.names, flag.value, given.text, flag.help);
    }
    if (given.option->field == "env")
      args.flag("--env-all", env_all_, "send this whole environment");
  }
  if (verb == OptionsOf::submit)
    args.option("--like", "ID", like_,
                "copy this task (or last); other options and a\ncommand override");
  if (verb == OptionsOf::submit || verb == OptionsOf::workflow)
    args.option(
        "--idempotency-key", "KEY", idempotency_key_,
        "submitting again with the same KEY returns the same\ntask instead of creating another");
}

json SubmitOptions::to_body(Context& context) const {
  if (like_) {
    const std::string word = one_task({*like_});
    json body = to_patch(context);
    body["like"] = word;  // a name, until the daemon resolves it
    return body;
  }
  if (!text_of("--shell") && !text_of("--handler") && argv_.empty())
    throw UsageError(kExitUsage,
                     "what should run? Write the command after --, as in \"taskctl submit -- make "
                     "all\", or give --shell or --handler");
  return to_defaults(context);
}

json SubmitOptions::to_defaults(Context& context) const {
  json body = to_patch(context);
  // A handler has its own folder, environment and umask.
  const bool has_handler = body.contains("handler");
  if (!has_handler) {
    json env = sent_environment(context);
    if (body.contains("env")) env.update(body["env"]);
    body["env"] = std::move(env);
    if (!body.contains("cwd")) body["cwd"] = bytes_to_json(working_folder(std::nullopt));
  }
  for (const TaskOption& option : task_options()) {
    if (option.of_caller == nullptr || body.contains(option.field)) continue;
    if (has_handler && option.is_of_handler) continue;
    json value = option.of_caller();
    if (!value.is_null()) body[std::string(option.field)] = std::move(value);
  }
  return body;
}

json SubmitOptions::to_patch(Context& context) const {
  check_command();
  json body = json::object();
  if (env_all_) body["env"] = sent_environment(context);
  if (!argv_.empty()) {
    for (const std::string& word : argv_) body["argv"].push_back(bytes_to_json(word));
  }
  for (const Given& given : given_) {
    if (!given.any()) continue;
    json value = json_of_flag(context, *given.flag,
                              given.text ? std::vector{*given.text} : given.texts);
    json& field = body[std::string(given.option->field)];
    if (!given.flag->member.empty()) {
      field[std::string(given.flag->member)] = std::move(value);
    } else if (field.is_object()) {  // --env in addition to --env-all
      field.update(value);
    } else {
      field = std::move(value);
    }
  }
  // If the first delay exceeds the default maximum, raises the maximum.
  if (auto backoff = body.find("backoff");
      backoff != body.end() && backoff->contains("initial_ms") && !backoff->contains("max_ms") &&
      backoff->at("initial_ms") > Backoff().max_ms)
    (*backoff)["max_ms"] = backoff->at("initial_ms");
  check_fields(body);
  check_start(context, body);
  warn_of_missing_places(context);
  return body;
}

std::optional<std::string> SubmitOptions::text_of(std::string_view flag) const {
  for (const Given& given : given_) {
    if (given.flag->long_name() == flag) return given.text;
  }
  return std::nullopt;
}

bool SubmitOptions::is_given(const TaskOption& option) const {
  return std::any_of(given_.begin(), given_.end(), [&](const Given& given) {
    return given.option == &option && given.any();
  });
}

void SubmitOptions::check_command() const {
  const bool has_handler = text_of("--handler").has_value();
  if (has_handler && (text_of("--shell") || argv_given_))
    throw UsageError(kExitUsage, "give either --handler or a command, not both");
  if (has_handler && text_of("--stdin"))
    throw UsageError(kExitUsage, "--stdin is for commands: a handler reads its --payload");
  if (text_of("--shell") && argv_given_)
    throw UsageError(kExitUsage, "give either --shell or a command after --, not both");
  if (text_of("--delay") && text_of("--at"))
    throw UsageError(kExitUsage, "give either --delay or --at, not both");
}

// Applies the daemon's rules and exit codes, so that invalid options fail before the daemon is
// asked.
void SubmitOptions::check_fields(const json& body) const {
  for (const Given& given : given_) {
    if (!given.any() || given.flag->member.empty()) continue;
    const OptionFlag& first = given.option->flags[0];
    if (names_option(*given.option, first) && !text_of(first.long_name()))
      throw UsageError(kExitUsage, std::string(given.flag->long_name()) + " needs " +
                                       std::string(first.long_name()));
  }
  FieldReader reader;
  NewTask task;
  for (const auto& [field, value] : body.items()) {
    if (const TaskOption* option = find_task_option(field); option != nullptr && !value.is_null())
      option->value->read(reader, value, "#/" + field, task);
  }
  if (reader.ok()) return;
  FieldError error = reader.take_errors().front();
  const auto text = text_of(flag_of_pointer(error.pointer));
  if (text) error.detail = in_quotes(*text) + " " + error.detail;
  throw UsageError(error.is_type ? kExitUsage : kExitBadData, describe_field_error(error));
}

json SubmitOptions::sent_environment(Context& context) const {
  json env = json::object();
  for (const char* const* entry = context.env.entries(); *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string variable = text.substr(0, equals);
    if (!env_all_ && !is_sent_unasked(variable)) continue;
    if (is_valid_utf8(variable))
      env[variable] = bytes_to_json(text.substr(equals + 1));
    else
      context.say("the name of the variable " + escape_for_humans(variable) +
                  " is not UTF-8, so it is left out");
  }
  return env;
}

void SubmitOptions::warn_of_missing_places(Context& context) const {
  const auto warn_if_missing = [&](std::string_view what, const std::optional<std::string>& path) {
    struct stat info;
    if (!path || path == "-" || ::stat(path->c_str(), &info) == 0) return;
    if (errno != ENOENT && errno != ENOTDIR) return;
    context.say(std::string(what) + " " + escape_for_humans(*path) +
                " does not exist; the task fails unless it is there when the task starts");
  };
  warn_if_missing("folder", text_of("--cwd"));
  warn_if_missing("file", text_of("--stdin"));
}

// "--at $(date …)" means now; and a submit repeated under its key keeps its time.
void SubmitOptions::check_start(Context& context, const json& body) const {
  const auto run_at = body.find("run_at");
  if (run_at == body.end()) return;
  const WallTime now = context.clock.wall_now();
  const WallTime at = parse_rfc3339(run_at->get<std::string>()).value_or(now);
  if (!(at < now + -kPastMs)) return;
  const std::string past = "--at " + in_quotes(text_of("--at").value_or("")) + " is in the past (" +
                           format_relative(at, now) + ")";
  if (!is_repeatable_ && !idempotency_key_)
    throw UsageError(kExitUsage, past + "; leave it out to start at once");
  context.say(past + ": tasks start at once");
}

std::optional<ArrayRange> SubmitOptions::array() const {
  const auto text = text_of("--array");
  return text ? std::optional(array_range(*text)) : std::nullopt;
}

std::string SubmitOptions::identity(json defaults) const {
  defaults.erase("run_at");
  json asked = json::object();
  for (const Given& given : given_) {
    if (given.option->field != "env") continue;
    for (const std::string& text : given.texts) {
      const std::string name = text.substr(0, text.find('='));
      asked[name] = defaults.at("env").at(name);
    }
  }
  defaults.erase("env");
  if (!asked.empty()) defaults["env"] = std::move(asked);
  for (const TaskOption& option : task_options()) {
    if (option.of_caller != nullptr && !is_given(option)) defaults.erase(std::string(option.field));
  }
  return defaults.dump();
}

std::optional<std::string> SubmitOptions::idempotency_key() const {
  if (!idempotency_key_) return std::nullopt;
  const auto printable = [](char c) { return c > ' ' && c < 0x7F; };
  if (idempotency_key_->empty() || idempotency_key_->size() > 255 ||
      !std::all_of(idempotency_key_->begin(), idempotency_key_->end(), printable))
    throw UsageError(kExitUsage,
                     "--idempotency-key takes 1 to 255 printable ASCII characters, no blanks");
  return idempotency_key_;
}

}  // namespace taskd::ctl
