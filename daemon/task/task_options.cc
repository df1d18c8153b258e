// The table of a task's options. Its order is used in the API document, in answers and by --help.
#include <sys/resource.h>
#include <sys/stat.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/task/option_values.h"

namespace taskd {
namespace {

using nlohmann::json;
using T = FlagText;

constexpr char kOnLostWords[] = "\"rerun\" or \"fail\"";
constexpr char kOnBadResultWords[] = "\"fail\" or \"ignore\"";
constexpr char kOnDependencyFailedWords[] = "\"fail\", \"cancel\" or \"run\"";

json umask_of_caller() {
  const mode_t umask = ::umask(0);  // umask() can only be read by setting it
  ::umask(umask);
  return format_umask(umask & 0777);
}

// A negative nice value is not passed on: it takes a privilege that the tasks do not have.
json nice_of_caller() {
  const int nice = ::getpriority(PRIO_PROCESS, 0);
  return nice > 0 ? json(nice) : json();
}

constexpr TaskOption kOptions[] = {
    {.field = "argv",
     .type = "array of 1 to 1,000 strings",
     .meaning = "the command, run without a shell …",
     .value = &option_value::argv,
     .answered = Answered::if_given},
    {.field = "shell",
     .type = "string",
     .meaning = "… or a line for `/bin/sh -c` …",
     .value = &option_value::shell,
     .flags = {{{"--shell", "LINE", T::bytes, "run LINE with /bin/sh -c instead of a COMMAND"}}},
     .answered = Answered::if_given},
    {.field = "handler",
     .type = "string",
     .meaning = "… or the name of a handler that the daemon's configuration declares; give "
                "exactly one of the three. See Handlers",
     .value = &option_value::handler,
     .flags =
         {{{"--handler", "NAME", T::text,
            "run the handler of this name, which the daemon's\nconfiguration declares (taskctl "
            "handlers)"}}},
     .answered = Answered::if_given},
    {.field = "payload",
     .type = "any JSON, null",
     .meaning = "the handler's input; at most 512 KiB as compact JSON",
     .value = &option_value::payload,
     .flags = {{{"--payload", "JSON", T::document,
                 "… with this input: JSON, @FILE, or - for standard input"}}},
     .answered = Answered::never},
    {.field = "name",
     .type = "string ≤ 200 bytes, `\"\"`",
     .meaning = "shown in lists",
     .value = &option_value::name,
     .flags = {{{"--name", "NAME", T::text, "shown in lists instead of the command"}}},
     .kept = Kept::column},
    {.field = "queue",
     .type = "string, `\"default\"`",
     .meaning = "must exist",
     .value = &option_value::queue,
     .flags = {{{"-q,--queue", "NAME", T::text, "the queue (default: default)"}}},
     .kept = Kept::column,
     .default_of = DefaultOf::handler},
    {.field = "priority",
     .type = "32-bit integer or `\"low\"` −10, `\"normal\"` 0, `\"high\"` 10, `\"urgent\"` 100; 0",
     .meaning = "higher first; among equals the oldest first",
     .value = &option_value::priority,
     .flags = {{{"-p,--priority", "N", T::priority,
                 "higher first: a number, or low (-10), normal (0),\nhigh (10), urgent (100)"}}},
     .kept = Kept::column,
     .default_of = DefaultOf::queue_and_handler},
    {.field = "env",
     .type = "object of strings",
     .meaning = "added to `PATH HOME USER LOGNAME SHELL`",
     .value = &option_value::env,
     .flags =
         {{{"--env", "K=V", T::variables,
            "a variable; K alone sends its current value. Always\nsent: PATH LANG LANGUAGE LC_* "
            "TZ TMPDIR"}}},
     .is_of_handler = true},
    {.field = "cwd",
     .type = "absolute path",
     .meaning = "the folder the command runs in; default: the user's home, or `/` if that does "
                "not exist",
     .value = &option_value::cwd,
     .flags = {{{"--cwd", "DIR", T::path, "the folder to run in (default: this one)"}}},
     .is_of_handler = true},
    {.field = "umask",
     .type = "string of octal digits up to `\"0777\"`, `\"0022\"`",
     .meaning = "the umask of the command, in octal. Answers have four digits, or null for a task "
                "with a handler",
     .value = &option_value::umask,
     .flags = {{{"--umask", "OCTAL", T::text,
                 "mask of new files, such as 0027 (default: taskctl's)"}}},
     .is_of_handler = true,
     .shown_as = "umask",
     .of_caller = umask_of_caller},
    {.field = "nice",
     .type = "0 to 19, 0",
     .meaning = "the niceness of the command's processes, as by nice(1): the higher, the more "
                "they yield the processor to others",
     .value = &kInteger<&ProcessAttributes::nice, 0, kMaxNice>,
     .flags = {{{"--nice", "N", T::number,
                 "yield the processor to others: 0 to 19 (default:\ntaskctl's own)"}}},
     .default_of = DefaultOf::queue_and_handler,
     .shown_as = "nice",
     .of_caller = nice_of_caller},
    {.field = "stdin",
     .type = "`{\"file\":\"/path\"}` or `{\"text\":\"…\"}`",
     .meaning = "the standard input of the command: a file, or this text (≤ 512 KiB); default: "
                "`/dev/null`. The file is opened as the task's user when an attempt starts; if "
                "that fails, the attempt is `spawn_failed` and its `error` names the file",
     .value = &option_value::stdin_source,
     .flags = {{{"--stdin", "FILE", T::input,
                 "what the command reads: a file, opened when it\nstarts; - sends what taskctl "
                 "itself reads"}}},
     .is_of_handler = true},
    {.field = "user",
     .type = "user name or uid",
     .meaning = "the user the command runs as; only for tasks of root",
     .value = &option_value::user,
     .flags = {{{"--user", "USER", T::text, "run as this user (root only)"}}},
     .is_of_handler = true},
    {.field = "labels",
     .type = "object of ≤ 64 strings",
     .meaning = "to find tasks by",
     .value = &option_value::labels,
     .flags = {{{"--label", "K=V", T::pairs, "a label to find tasks by; may be repeated"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "delay_ms",
     .type = "integer",
     .meaning = "the earliest start, counted from now …",
     .value = &option_value::delay,
     .flags = {{{"--delay", "TIME", T::time, "start after this long: 90s, 15m, 1h30m"}}},
     .kept = Kept::start,
     .in_schedule = false},
    {.field = "run_at",
     .type = "time stamp",
     .meaning = "… or as a moment; give one of the two",
     .value = &option_value::run_at,
     .flags = {{{"--at", "WHEN", T::moment,
                 "start at this time: RFC 3339, local \"2026-03-01\n12:00\", or 12:00 (the next "
                 "one)"}}},
     .kept = Kept::start,
     .in_schedule = false},
    {.field = "hold",
     .type = "boolean, false",
     .meaning = "do not start before a release",
     .value = &option_value::hold,
     .flags = {{{"--hold", "", T::none, "wait for `taskctl release`"}}},
     .kept = Kept::start,
     .why_not_edited = "cannot be edited; use the verbs hold and release",
     .in_schedule = false},
    {.field = "timeout_ms",
     .type = "integer, 0 = none",
     .meaning = "when this time is over, the whole process tree gets TERM, and KILL after "
                "`grace_ms`",
     .value = &kDuration<&TaskSpec::timeout_ms>,
     .flags = {{{"--timeout", "TIME", T::time, "stop it after this long (default: never)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "progress_timeout_ms",
     .type = "integer, 0 = none",
     .meaning = "the job promises to report its progress at least this often; if it does not, it "
                "is stopped as by `timeout_ms`",
     .value = &kDuration<&TaskSpec::progress_timeout_ms>,
     .flags = {{{"--progress-timeout", "TIME", T::time,
                 "stop it if it reports no progress for this long\n(taskctl progress)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "grace_ms",
     .type = "integer, 10000",
     .meaning = "the time between TERM and KILL",
     .value = &kInteger<&TaskSpec::grace_ms, 0, kMaxGraceMs>,
     .flags = {{{"--grace", "TIME", T::time, "between SIGTERM and SIGKILL (default: 10s)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "max_attempts",
     .type = "1 to 1,000, 1",
     .meaning = "how many attempts there may be in all; lost ones do not count",
     .value = &kInteger<&TaskSpec::max_attempts, 1, kMaxAttempts>,
     .flags = {{{"--max-attempts", "N", T::number, "tries in all (default: 1)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "backoff",
     .type = "`{\"kind\":\"exponential\" or \"linear\" or \"constant\",\"initial_ms\":10000,"
             "\"max_ms\":3600000,\"jitter\":0.1}`",
     .meaning = "the wait before the next attempt",
     .value = &option_value::backoff,
     .flags = {{{"--retry-delay", "TIME", T::time, "before the second try (default: 10s)",
                 "initial_ms"},
                {"--retry-max-delay", "TIME", T::time, "at most this (default: 1h)", "max_ms"},
                {"--backoff", "KIND", T::text,
                 "how the delay grows: exponential (default), linear,\nconstant", "kind"},
                {"", "", T::number, "", "jitter"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "retry_on",
     .type = "array of exit codes and of `\"exit\" \"signal\" \"timeout\" \"oom\" \"spawn\"`",
     .meaning = "only these failures are tried again",
     .value = &option_value::retry_on,
     .flags = {{{"--retry-on", "LIST", T::matches,
                 "try again only after these: exit codes, or exit,\nsignal, timeout, oom, spawn; "
                 "with commas"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "no_retry_on",
     .type = "the same",
     .meaning = "these failures are never tried again",
     .value = &option_value::no_retry_on,
     .flags = {{{"--no-retry-on", "LIST", T::matches, "never try again after these"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "on_lost",
     .type = "`\"rerun\"` or `\"fail\"`, `\"rerun\"`",
     .meaning = "what happens after an attempt is lost, for example because the machine went down",
     .value = &kWord<&TaskSpec::on_lost, parse_on_lost, kOnLostWords>,
     .flags = {{{"--on-lost", "WHAT", T::text,
                 "if the machine goes down while it runs: rerun\n(default) or fail"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "on_bad_result",
     .type = "`\"fail\"` or `\"ignore\"`, `\"fail\"`",
     .meaning = "what happens if the command succeeds but wrote an invalid result into "
                "`TASKD_RESULT_FILE`",
     .value = &kWord<&TaskSpec::on_bad_result, parse_on_bad_result, kOnBadResultWords>,
     .flags = {{{"--on-bad-result", "WHAT", T::text,
                 "if its result is not JSON or over 64 KiB: fail\n(default) or ignore"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "max_lost",
     .type = "0 to 100, 3",
     .meaning = "how often the task is run again after lost attempts; the next loss fails it as "
                "`poison`. Losses from a planned stop (a shutdown, the service manager) do not "
                "count",
     .value = &kInteger<&TaskSpec::max_lost, 0, kMaxLost>,
     .flags = {{{"--max-lost", "N", T::number,
                 "at most N re-runs after lost attempts (default: 3)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "notify",
     .type = "array of ≤ 16 strings, `[]`",
     .meaning = "hooks to notify of the task, in addition to those of its queue: `\"NAME\"`, or "
                "`\"NAME:failed,succeeded\"` for only those events. See Hooks",
     .value = &option_value::notify,
     .flags = {{{"--notify", "HOOK", T::texts,
                 "notify this hook: NAME, or NAME:failed,succeeded for\nonly those events; "
                 "may be repeated"}}},
     .default_of = DefaultOf::handler},  // queues have their own setting for this
    {.field = "keep_ms",
     .type = "integer, 30 days",
     .meaning = "how long the task and its output are kept after its end; less than ten seconds "
                "counts as ten",
     .value = &kDuration<&TaskSpec::keep_ms>,
     .flags = {{{"--keep", "TIME", T::time, "remove it this long after its end (default: 30d)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "key",
     .type = "`{\"name\":\"…\",\"limit\":1,\"rate\":{\"count\":10,\"per_ms\":60000}}` or null, "
             "null",
     .meaning =
         "your tasks with the same key `name` (≤ 200 bytes, not beginning with `#`) share its "
         "limits, whatever their queues: at most `limit` (1 to 1,024) of them run at once, and "
         "`rate` limits their starts. The limits belong to the key: the latest submit that names "
         "any sets them for all tasks of the key. A new key without limits gets the limit 1. A "
         "task that waits for its key is `blocked`",
     .value = &option_value::key,
     .flags = {{{"--key", "KEY", T::text,
                 "your tasks with the same KEY share its limits\n(default: one at a time)", "name"},
                {"--key-limit", "N", T::number, "run at most N tasks of the key at once", "limit"},
                {"--key-rate", "N/TIME", T::rate, "start at most this many of the key: 10/1m, 5/s",
                 "rate"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "slots",
     .type = "1 to 1,024, 1",
     .meaning = "how many of the daemon's workers the task counts as while it runs",
     .value = &kInteger<&StartConstraints::slots, 1, kMaxSlots>,
     .flags = {{{"--slots", "N", T::number, "count as N workers while it runs (default: 1)"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "resources",
     .type = "object of integers, `{}`",
     .meaning = "how much of each declared resource the task uses while it runs; the "
                "configuration declares them",
     .value = &option_value::resources,
     .flags = {{{"--resource", "NAME=N", T::amounts,
                 "take this much of a declared resource: gpu=1,\nmemory=8G; may be repeated"}}},
     .default_of = DefaultOf::queue_and_handler},
    {.field = "array",
     .type = "`{\"first\":1,\"last\":100,\"step\":1,\"at_once\":4}` or null, null",
     .meaning =
         "creates one task for each index from `first` to `last`: at most 1,000,000, with "
         "consecutive ids. `step` and `at_once` are optional. The answer is the first task. "
         "`at_once` is implemented as a key, so it excludes `key`; `array` excludes `unique`. "
         "When the answer comes, all tasks exist. A million take some tens of seconds; until then "
         "the array cannot be named (503 `array_being_submitted`). If the daemon dies meanwhile, "
         "the next one creates the rest; to get the same array, repeat the submit with its "
         "`Idempotency-Key`. The tasks share one copy of what they run. With their labels and "
         "dependencies they may have at most 5,000,000 rows. The first task sets the limits of a "
         "`key`; if the limits are changed later, the rest of the array leaves them alone",
     .value = &option_value::array,
     .flags = {{{"--array", "RANGE", T::range,
                 "a task for each index: 1-100, 0-99:3 (every third),\n1-100%4 (4 at once); in "
                 "TASKD_ARRAY_INDEX"}}},
     .kept = Kept::start,
     .why_not_edited = "cannot be edited",
     .in_schedule = false},
    {.field = "unique",
     .type = "`{\"key\":\"…\",\"for_ms\":3600000,\"while\":\"queued\" or \"active\"}` or null, "
             "null",
     .meaning = "while a task of yours with the same unique key has not ended, the submit returns "
                "that task instead of creating one. `for_ms` does so for this long after that "
                "task was submitted, even if it has ended. `while` limits that to the time in "
                "which the task waits (`queued`) or has not ended (`active`)",
     .value = &option_value::unique,
     .flags = {{{"--unique", "KEY", T::text,
                 "submit nothing while another of your tasks with this\nKEY has not ended; print "
                 "its id instead",
                 "key"},
                {"--unique-for", "TIME", T::time,
                 "… and for this long after that task was submitted", "for_ms"},
                {"--unique-while", "WHAT", T::text, "… while it is queued, or active", "while"}}},
     .why_not_edited = "cannot be edited"},
    {.field = "depends_on",
     .type = "array of ids, or of objects with `on` (`\"ok\"`, `\"any\"` or `\"failed\"`) and "
             "`{\"task\":12}`, `{\"array\":12}`, `{\"array\":12,\"index\":1}` or "
             "`{\"tasks\":\"15-20\"}`, `[]`",
     .meaning =
         "the task is `blocked` until these tasks have ended. With `ok` they must have succeeded, "
         "with `failed` they must have failed or been cancelled. The id of an array means the "
         "whole array: with `ok` all its tasks must have succeeded, with `failed` at least one "
         "must not. `tasks` takes a name of tasks (see Tasks). At most 10,000 tasks, where an "
         "array counts once. Answers have `{\"task\"}` or `{\"array\"}`",
     .value = &option_value::depends_on,
     .flags = {{{"--after", "TASK[:HOW]", T::tasks,
                 "start once these tasks have ended: 12,15-20:any,\n12[3], last; an array's id "
                 "means all of it; HOW is\nok (default), any or failed"}}},
     .kept = Kept::links,
     .why_not_edited = "cannot be edited; to drop the dependencies, cancel the task and retry it",
     .in_schedule = false},
    {.field = "on_dependency_failed",
     .type = "`\"fail\"`, `\"cancel\"` or `\"run\"`, `\"fail\"`",
     .meaning = "what happens if a dependency ends otherwise: the task fails with the reason "
                "`dependency`, is cancelled, or runs all the same. If it waited for a failure that "
                "did not happen, or for a task that this rule cancelled, it is skipped: cancelled, "
                "even with `fail`, unless another of its dependencies has failed",
     .value = &kWord<&StartConstraints::on_dependency_failed, parse_on_dependency_failed,
                     kOnDependencyFailedWords>,
     .flags = {{{"--on-dependency-failed", "WHAT", T::text,
                 "if one ends otherwise: fail (default), cancel or run"}}},
     .default_of = DefaultOf::queue_and_handler},
};

std::string flags_text(const TaskOption& option) {
  if (option.field == "argv") return "`-- COMMAND…`";
  std::string out;
  for (const OptionFlag& flag : option.flags) {
    if (flag.names.empty()) break;
    out += (out.empty() ? "`" : ", `") + std::string(flag.long_name()) + "`";
  }
  return out;
}

std::string elsewhere_text(const TaskOption& option) {
  std::string out;
  const auto add = [&](std::string_view place) {
    out += (out.empty() ? "" : ", ") + std::string(place);
  };
  if (option.why_not_edited.empty()) add("edit");
  if (option.in_schedule) add("schedule");
  if (option.default_of == DefaultOf::queue_and_handler) add("queue");
  if (option.default_of != DefaultOf::nothing) add("handler");
  return out;
}

}  // namespace

std::span<const TaskOption> task_options() {
  return kOptions;
}

const TaskOption* find_task_option(std::string_view field) {
  const auto found = std::find_if(std::begin(kOptions), std::end(kOptions),
                                  [&](const TaskOption& option) { return option.field == field; });
  return found == std::end(kOptions) ? nullptr : found;
}

bool is_of_handler(std::string_view field) {
  const TaskOption* option = find_task_option(field);
  return option != nullptr && option->is_of_handler;
}

std::string_view without_unit(std::string_view field) {
  constexpr std::string_view kMs = "_ms";
  if (field.ends_with(kMs)) field.remove_suffix(kMs.size());
  return field;
}

std::string task_options_table() {
  std::string out = "| field | of `taskctl submit` | type, default | also in | meaning |\n"
                    "|---|---|---|---|---|\n";
  for (const TaskOption& option : kOptions) {
    out += "| `" + std::string(option.field) + "` | " + flags_text(option) + " | " +
           std::string(option.type) + " | " + elsewhere_text(option) + " | " +
           std::string(option.meaning) + " |\n";
  }
  return out;
}

}  // namespace taskd
