#include "ctl/options/submit_options.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <nlohmann/json.hpp>

#include "ctl/options/flag_values.h"
#include "ctl/options/payload.h"
#include "ctl/options/selector.h"
#include "ctl/options/text_input.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

// The path that `option` names from this process's folder.
std::string absolute(std::string_view option, const std::string& path) {
  if (path.starts_with('/')) return path;
  if (path.empty()) throw UsageError(kExitUsage, std::string(option) + " is empty");
  const std::string here = working_folder(std::nullopt);
  return (here == "/" ? here : here + "/") + path;
}

constexpr std::int64_t kPastMs = 60'000;  // that a moment may lie back and still mean "now"

// "1,2,timeout" of every occurrence.
std::vector<RetryMatch> retry_matches(std::string_view flag,
                                      const std::vector<std::string>& texts) {
  std::vector<RetryMatch> out;
  for (const std::string& part : split_lists(texts)) {
    RetryMatch match;
    if (const auto code = parse_int(part); code && *code >= 0 && *code <= 255)
      match.exit_code = static_cast<int>(*code);
    else
      match.reason = parse_reason(part);
    if (!match.exit_code && !match.reason)
      throw UsageError(kExitUsage, std::string(flag) + ": " + in_quotes(part) +
                                       " is neither an exit code (0 to 255) nor one of exit, "
                                       "signal, timeout, oom, spawn");
    out.push_back(match);
  }
  return out;
}

}  // namespace

std::vector<Notify> notify_flag(const std::vector<std::string>& texts) {
  std::vector<Notify> list;
  for (const std::string& text : texts) {
    auto notify = parse_notify(text);
    if (const auto* wrong = std::get_if<std::string>(&notify))
      throw UsageError(kExitUsage, "--notify " + in_quotes(text) + ": " + *wrong);
    list.push_back(std::get<Notify>(std::move(notify)));
  }
  return list;
}

bool is_sent_unasked(std::string_view variable) {
  return variable == "PATH" || variable == "LANG" || variable == "LANGUAGE" || variable == "TZ" ||
         variable == "TMPDIR" || variable.starts_with("LC_");
}

std::string working_folder(const std::optional<std::string>& option) {
  if (option) return absolute("--cwd", *option);
  char buffer[PATH_MAX];
  if (::getcwd(buffer, sizeof buffer) == nullptr)
    throw UsageError(exit_code_of_errno(errno, kExitBadData),
                     std::string("the working folder cannot be told (") + std::strerror(errno) +
                         "); name one with --cwd");
  return buffer;
}

std::uint32_t umask_of(const std::optional<std::string>& option) {
  if (!option) {
    const mode_t umask = ::umask(0);  // there is no way to only look
    ::umask(umask);
    return umask & 0777;
  }
  const auto umask = parse_umask(*option);
  if (!umask)
    throw UsageError(kExitUsage, "--umask: " + in_quotes(*option) +
                                     " is not an octal number from 0 to 0777, such as 0027");
  return *umask;
}

std::string read_stdin(std::string_view option, std::size_t max_bytes) {
  const std::string what = "standard input (" + std::string(option) + ")";
  std::string text = read_stdin_bytes(max_bytes, what);
  if (!is_valid_utf8(text) || text.find('\0') != std::string::npos)
    throw UsageError(kExitBadData, what + " is not UTF-8 text; put it into a file and name that");
  return text;
}

void SubmitOptions::declare(Args& args) {
  declare_task(args);
  declare_unique(args);
  declare_start(args);
  args.option("--like", "ID", like_,
              "copy this task (or last); other options and a\n"
              "command override");
  args.option("--array", "RANGE", array_,
              "a task for each index: 1-100, 0-99:3 (every third),\n1-100%4 (4 at once); in "
              "TASKD_ARRAY_INDEX");
  constraints_.declare_dependencies(args);
  args.flag("--hold", hold_, "wait for `taskctl release`");
  declare_idempotency_key(args);
}

void SubmitOptions::declare_idempotency_key(Args& args) {
  args.option("--idempotency-key", "KEY", idempotency_key_,
              "submitting again with the same KEY gives the same\ntask instead of a second one");
}

void SubmitOptions::declare_start(Args& args) {
  args.option("--delay", "TIME", delay_, "start after this long: 90s, 15m, 1h30m");
  args.option("--at", "WHEN", at_,
              "start then: RFC 3339, or local \"2026-03-01 12:00\",\n"
              "or 12:00 (the next such)");
}

void SubmitOptions::declare_task(Args& args) {
  args.command(argv_, argv_given_);
  args.option("--shell", "LINE", shell_, "run LINE with /bin/sh -c, not a command after --");
  args.option("--handler", "NAME", handler_,
              "run what the daemon's configuration declares under\nthis name (taskctl handlers)");
  args.option("--payload", "JSON", payload_, "… on this: JSON, @FILE, or - for standard input");
  args.option("--name", "NAME", name_, "shown in lists instead of the command");
  args.option("-q,--queue", "NAME", queue_, "the queue (default: default)");
  args.option("-p,--priority", "N", priority_,
              "higher first: a number, or low (-10), normal (0),\nhigh (10), urgent (100)");
  args.option("--timeout", "TIME", timeout_, "stop it after this long (default: never)");
  args.option("--progress-timeout", "TIME", progress_timeout_,
              "stop it when it has reported no progress for this\n"
              "long (taskctl progress)");
  args.option("--grace", "TIME", grace_, "between SIGTERM and SIGKILL (default: 10s)");
  args.option("--max-attempts", "N", max_attempts_, "tries in all (default: 1)");
  args.option("--retry-delay", "TIME", retry_delay_, "before the second try (default: 10s)");
  args.option("--retry-max-delay", "TIME", retry_max_delay_, "at most this (default: 1h)");
  args.option("--backoff", "KIND", backoff_,
              "how the delay grows: exponential (default), linear,\nconstant");
  args.list("--retry-on", "LIST", retry_on_,
            "try again only after these: exit codes, or exit,\n"
            "signal, timeout, oom, spawn; with commas");
  args.list("--no-retry-on", "LIST", no_retry_on_, "never try again after these");
  args.option("--on-lost", "WHAT", on_lost_,
              "if the machine goes down while it runs: rerun\n(default) or fail");
  args.option("--on-bad-result", "WHAT", on_bad_result_,
              "if its result is not JSON or over 64 KiB: fail\n"
              "(default) or ignore");
  args.option("--max-lost", "N", max_lost_, "at most N re-runs after lost attempts (default: 3)");
  args.list("--env", "K=V", env_,
            "a variable; K alone sends its value here. Always\n"
            "sent: PATH LANG LANGUAGE LC_* TZ TMPDIR");
  args.flag("--env-all", env_all_, "send this whole environment");
  args.option("--cwd", "DIR", cwd_, "the folder to run in (default: this one)");
  args.option("--umask", "OCTAL", umask_, "mask of new files, such as 0027 (default: as here)");
  args.option("--stdin", "FILE", stdin_,
              "what the command reads: a file, opened when it\n"
              "starts; - sends what taskctl itself reads");
  args.list("--label", "K=V", labels_, "to find tasks by; may be repeated");
  args.option("--keep", "TIME", keep_, "remove it this long after its end (default: 30d)");
  args.list("--notify", "HOOK", notify_,
            "tell this hook of it: NAME, or NAME:failed,succeeded\n"
            "for those events alone; may be repeated");
  args.option("--user", "USER", user_, "run as this user (root only)");
  constraints_.declare(args);
}

NewTask SubmitOptions::to_task(Context& context) const {
  if (!shell_ && !handler_ && argv_.empty())
    throw UsageError(kExitUsage,
                     "what should run? Write the command after --, as in \"taskctl submit -- make "
                     "all\", or give --shell or --handler");
  return to_defaults(context);
}

NewTask SubmitOptions::to_defaults(Context& context) const {
  NewTask task;
  TaskSpec& spec = task.spec;
  set_command(spec);
  // A handler has a folder and an environment of its own.
  if (!handler_) set_sent_environment(context, spec);
  set_asked_environment(context, spec);
  set_start(context, task);
  set_retries(spec);
  set_simple(spec);
  if (!handler_ || cwd_) spec.cwd = working_folder(cwd_);
  if (!handler_ || umask_) spec.umask = umask_of(umask_);
  warn_of_missing_places(context);
  return task;
}

void SubmitOptions::set_simple(TaskSpec& spec) const {
  if (name_) spec.name = checked("--name", *name_);
  if (queue_) spec.queue = checked("--queue", *queue_);
  if (user_) spec.user_name = checked("--user", *user_);
  if (priority_) {
    const auto priority = parse_priority(*priority_);
    if (!priority)
      throw UsageError(kExitUsage, "--priority: " + in_quotes(*priority_) +
                                       " is neither a number nor low, normal, high or urgent");
    spec.priority = *priority;
  }
  set_stdin(spec);
  spec.constraints = constraints_.to_flow();
  if (timeout_) spec.timeout_ms = duration_flag("--timeout", *timeout_);
  if (progress_timeout_)
    spec.progress_timeout_ms = duration_flag("--progress-timeout", *progress_timeout_);
  if (grace_) spec.grace_ms = duration_flag("--grace", *grace_);
  if (keep_) spec.keep_ms = duration_flag("--keep", *keep_);
  for (const std::string& label : labels_) {
    auto [key, value] = key_and_value("--label", checked("--label", label));
    spec.labels[key] = value;
  }
  spec.notify = notify_flag(notify_);
}

void SubmitOptions::set_command(TaskSpec& spec) const {
  if (payload_) spec.payload = read_payload(*payload_);
  if (handler_ && (shell_ || argv_given_))
    throw UsageError(kExitUsage, "give either --handler or a command, not both");
  if (handler_ && stdin_)
    throw UsageError(kExitUsage, "--stdin is for commands: a handler reads its --payload");
  if (handler_ && handler_->empty()) throw UsageError(kExitUsage, "--handler is empty");
  if (handler_) spec.handler = checked("--handler", *handler_);
  if (shell_ && argv_given_)
    throw UsageError(kExitUsage, "give either --shell or a command after --, not both");
  if (shell_) {
    if (shell_->empty()) throw UsageError(kExitUsage, "--shell is empty");
    spec.shell = *shell_;
    return;
  }
  if (argv_.empty()) return;
  if (argv_[0].empty()) throw UsageError(kExitUsage, "the command's name is empty");
  spec.argv = argv_;
}

void SubmitOptions::set_stdin(TaskSpec& spec) const {
  if (!stdin_) return;
  if (*stdin_ == "-")
    spec.stdin_text = read_stdin("--stdin -", kMaxStdinBytes);
  else
    spec.stdin_file = absolute("--stdin", *stdin_);
}

void SubmitOptions::set_sent_environment(Context& context, TaskSpec& spec) const {
  for (const char* const* entry = context.env.entries(); *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string::npos || equals == 0) continue;
    const std::string variable = text.substr(0, equals);
    if (!env_all_ && !is_sent_unasked(variable)) continue;
    if (is_valid_utf8(variable))
      spec.env[variable] = text.substr(equals + 1);
    else
      context.say("the name of the variable " + escape_for_humans(variable) +
                  " is not UTF-8, so it is left out");
  }
}

void SubmitOptions::set_asked_environment(Context& context, TaskSpec& spec) const {
  for (const std::string& text : env_) {
    const std::string name = text.substr(0, text.find('='));
    checked("the name in --env", name);
    if (!is_plain_text(name) || name.find(' ') != std::string::npos)
      throw UsageError(kExitUsage, "--env: " + in_quotes(name) +
                                       " is not the name of a variable; write --env once for each");
    if (text.find('=') != std::string::npos) {
      auto [variable, value] = key_and_value("--env", text);
      spec.env[variable] = value;
      continue;
    }
    const char* const value = context.env.get(text);
    if (value == nullptr)
      throw UsageError(kExitUsage, "--env: there is no variable " + in_quotes(text) +
                                       " here; write " + in_quotes(text + "=VALUE"));
    spec.env[text] = value;
  }
}

void SubmitOptions::warn_of_missing_places(Context& context) const {
  const auto is_missing = [](const std::string& path) {
    struct stat info;
    return ::stat(path.c_str(), &info) != 0 && (errno == ENOENT || errno == ENOTDIR);
  };
  if (cwd_ && is_missing(*cwd_))
    context.say("folder " + escape_for_humans(*cwd_) +
                " does not exist; the task fails unless it is there when the task starts");
  if (stdin_ && *stdin_ != "-" && is_missing(*stdin_))
    context.say("file " + escape_for_humans(*stdin_) +
                " does not exist; the task fails unless it is there when the task starts");
}

void SubmitOptions::set_start(Context& context, NewTask& task) const {
  if (delay_ && at_) throw UsageError(kExitUsage, "give either --delay or --at, not both");
  if (delay_) task.delay_ms = duration_flag("--delay", *delay_);
  if (at_) {
    const WallTime now = context.clock.wall_now();
    task.run_at = time_flag("--at", *at_, now);
    // "--at $(date …)" means now; and what is submitted again under its key keeps its time.
    if (*task.run_at < now + -kPastMs) {
      const std::string past = "--at " + in_quotes(*at_) + " is in the past (" +
                               format_relative(*task.run_at, now) + ")";
      if (!is_repeatable_ && !idempotency_key_)
        throw UsageError(kExitUsage, past + "; leave it out to start at once");
      context.say(past + ": tasks start at once");
    }
  }
  task.hold = hold_;
  task.array = array();
}

std::optional<ArrayRange> SubmitOptions::array() const {
  if (!array_) return std::nullopt;
  auto range = parse_array_range(*array_);
  if (!range)
    throw UsageError(kExitUsage, "--array: " + in_quotes(*array_) +
                                     " is not a range such as 1-100, 0-99:3 or 1-100%4");
  return range;
}

void SubmitOptions::set_retries(TaskSpec& spec) const {
  if (max_attempts_) spec.max_attempts = int_flag("--max-attempts", *max_attempts_);
  if (max_lost_) spec.max_lost = int_flag("--max-lost", *max_lost_);
  if (retry_delay_) spec.backoff.initial_ms = duration_flag("--retry-delay", *retry_delay_);
  if (retry_max_delay_) {
    spec.backoff.max_ms = duration_flag("--retry-max-delay", *retry_max_delay_);
  } else {
    spec.backoff.max_ms = std::max(spec.backoff.max_ms, spec.backoff.initial_ms);
  }
  if (backoff_) {
    const auto kind = parse_backoff_kind(*backoff_);
    if (!kind)
      throw UsageError(kExitUsage, "--backoff: " + in_quotes(*backoff_) +
                                       " is none of exponential, linear, constant");
    spec.backoff.kind = *kind;
  }
  if (on_lost_) {
    const auto on_lost = parse_on_lost(*on_lost_);
    if (!on_lost)
      throw UsageError(kExitUsage,
                       "--on-lost: " + in_quotes(*on_lost_) + " is neither rerun nor fail");
    spec.on_lost = *on_lost;
  }
  if (on_bad_result_) {
    const auto on_bad_result = parse_on_bad_result(*on_bad_result_);
    if (!on_bad_result)
      throw UsageError(kExitUsage, "--on-bad-result: " + in_quotes(*on_bad_result_) +
                                       " is neither fail nor ignore");
    spec.on_bad_result = *on_bad_result;
  }
  spec.retry_on = retry_matches("--retry-on", retry_on_);
  spec.no_retry_on = retry_matches("--no-retry-on", no_retry_on_);
}

std::string SubmitOptions::identity(const NewTask& defaults) const {
  NewTask task = defaults;
  task.run_at.reset();
  if (!umask_) task.spec.umask = kDefaultUmask;
  std::map<std::string, std::string> asked;
  for (const std::string& text : env_) {
    const auto variable = task.spec.env.find(text.substr(0, text.find('=')));
    if (variable != task.spec.env.end()) asked.insert(*variable);
  }
  task.spec.env = std::move(asked);
  return body_of(task).dump();
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

nlohmann::json SubmitOptions::to_body(Context& context) const {
  if (!like_) return body_of(to_task(context));
  const std::string word = one_task({*like_});
  nlohmann::json body = to_patch(context);
  body["like"] = word;  // until the daemon can be asked
  return body;
}

}  // namespace taskd::ctl
