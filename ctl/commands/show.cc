#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/base/users.h"
#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "ctl/view/constraints_view.h"
#include "ctl/view/handler_view.h"
#include "ctl/view/hook_view.h"
#include "ctl/view/lines.h"
#include "ctl/view/outcome.h"
#include "ctl/view/terminal_filter.h"
#include "ctl/view/width.h"
#include "daemon/base/errors.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/task/task_name.h"
#include "daemon/task/task_option.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kShowHelp{
    .usage = "[OPTIONS] ID… | FILTER",
    .paragraph =
        R"(Shows all about a task: what was asked for, its state, each of its attempts (of many,
the last ten), its deliveries to hooks, and, if it failed, the end of its error output.
Times are local. Values of environment variables are never shown.)",
    .examples =
        R"(  taskctl show 12
  taskctl show last
  taskctl show '12[3]'                     # of an array
  taskctl show 12 --json | jq '.tasks[0].attempts'
)"};

constexpr std::size_t kShownAttempts = 10;
constexpr std::size_t kTailLines = 10;

std::string when(WallTime time, WallTime now) {
  return format_local(time) + "  (" + format_relative(time, now) + ")";
}

std::string matches_text(const std::vector<RetryMatch>& matches) {
  std::string out;
  for (const RetryMatch& match : matches) {
    if (!out.empty()) out += ",";
    out += match.exit_code ? std::to_string(*match.exit_code)
                           : std::string(to_string(match.reason.value_or(Reason::exit)));
  }
  return out;
}

std::string policy_text(const TaskSpec& spec) {
  std::string out = std::to_string(spec.max_attempts) +
                    (spec.max_attempts == 1 ? " attempt" : " attempts at most");
  if (spec.max_attempts > 1)
    out += ", " + std::string(to_string(spec.backoff.kind)) + " back-off from " +
           format_duration_ms(spec.backoff.initial_ms) + " to " +
           format_duration_ms(spec.backoff.max_ms);
  if (!spec.retry_on.empty()) out += "; only after " + matches_text(spec.retry_on);
  if (!spec.no_retry_on.empty()) out += "; never after " + matches_text(spec.no_retry_on);
  out += "; when lost: " + std::string(to_string(spec.on_lost));
  if (spec.on_bad_result == OnBadResult::ignore) out += "; bad results are ignored";
  return out;
}

std::string state_text(const Task& task, const Painter& paint) {
  std::string text(to_string(task.state));
  if (task.state == State::failed && task.reason)
    text += " (" + std::string(to_string(*task.reason)) + ")";
  return paint(color_of(task.state), text);
}

// Adds the options that need no special format, if they differ from their defaults.
void add_plain_options(Lines& lines, const TaskSpec& spec) {
  for (const TaskOption& option : task_options()) {
    if (option.shown_as.empty() || option.value->is_default(spec)) continue;
    JsonWriter writer;
    option.value->write(writer, spec, ValueForm::answer);
    const auto value = nlohmann::json::parse(writer.take());
    if (!value.is_null())
      lines.add(option.shown_as, value.is_string() ? value.get<std::string>() : value.dump());
  }
}

void print_spec(Lines& lines, const TaskSpec& spec) {
  if (!spec.handler.empty())
    add_handler(lines, spec);
  else
    lines.add(spec.argv.empty() ? "shell" : "command", describe_command(spec));
  if (!spec.cwd.empty()) lines.add("folder", escape_for_humans(spec.cwd));
  add_plain_options(lines, spec);
  if (!spec.stdin_file.empty()) lines.add("stdin", escape_for_humans(spec.stdin_file));
  if (!spec.stdin_text.empty()) lines.add("stdin", "a text");
  if (!spec.env.empty()) {
    std::string names;
    for (const auto& [name, value] : spec.env) names += (names.empty() ? "" : " ") + name;
    lines.add("environment", escape_for_humans(names));
  }
  lines.add("queue", escape_for_humans(spec.queue) + ", priority " + std::to_string(spec.priority));
  for (const auto& [key, value] : spec.labels)
    lines.add("label", escape_for_humans(key) + "=" + escape_for_humans(value));
  add_constraints(lines, spec.constraints);
  if (spec.timeout_ms > 0)
    lines.add("timeout", format_duration_ms(spec.timeout_ms) + ", then " +
                             format_duration_ms(spec.grace_ms) + " from SIGTERM to SIGKILL");
  if (spec.progress_timeout_ms > 0)
    lines.add("promised", "a report of progress every " +
                              format_duration_ms(spec.progress_timeout_ms) + ", or it is stopped");
  lines.add("policy", policy_text(spec));
  lines.add("kept", format_duration_ms(spec.keep_ms) + " after its end");
  for (const Notify& notify : spec.notify)
    lines.add("notify", escape_for_humans(format_notify(notify)));
}

void print_times(Lines& lines, const Task& task, WallTime now) {
  lines.add("submitted", when(task.created_at, now));
  if (task.due_at && !is_end(task.state)) lines.add("due", when(*task.due_at, now));
  if (task.started_at) lines.add("started", when(*task.started_at, now));
  if (task.cancel_requested_at) lines.add("cancel sent", when(*task.cancel_requested_at, now));
  if (task.ended_at) lines.add("ended", when(*task.ended_at, now));
}

// Whether the outcome in words already contains its detail.
bool says_detail(OutcomeKind kind) {
  return kind == OutcomeKind::spawn_failed || kind == OutcomeKind::reported;
}

// "gpu 0,1"; "" if it has no units.
std::string units_text(const Grant& granted) {
  std::string text;
  for (const auto& [resource, units] : granted) {
    text += (text.empty() ? "" : ", ") + resource + " ";
    for (const std::string& unit : units) text += (&unit == &units.front() ? "" : ",") + unit;
  }
  return escape_for_humans(text);
}

// "1.2 MiB of stdout dropped"; "" if nothing was dropped.
std::string dropped_text(const Attempt& attempt) {
  const auto of = [](std::int64_t bytes, const char* stream) {
    return bytes == 0 ? "" : format_bytes(bytes) + " of " + stream + " dropped";
  };
  std::string text = of(attempt.stdout_dropped_bytes, "stdout");
  const std::string err = of(attempt.stderr_dropped_bytes, "stderr");
  return text + (text.empty() || err.empty() ? "" : ", ") + err;
}

std::string attempt_text(const Attempt& attempt, WallTime now) {
  std::string text = format_local(attempt.started_at);
  if (!attempt.granted.empty()) text += ", with " + units_text(attempt.granted);
  if (!attempt.outcome) return text + ", running for " + format_span(now - attempt.started_at);
  if (attempt.ended_at) text += ", " + format_span(*attempt.ended_at - attempt.started_at);
  text += ", " + describe_outcome(*attempt.outcome);
  if (!says_detail(attempt.outcome->kind) && !attempt.outcome->detail.empty())
    text += " (" + escape_for_table(attempt.outcome->detail) + ")";
  if (const std::string lost = dropped_text(attempt); !lost.empty()) text += ", " + lost;
  const std::int64_t cpu_ms = attempt.usage.user_cpu_ms + attempt.usage.system_cpu_ms;
  text += ", CPU " + format_span(cpu_ms);
  return text + ", memory " + format_bytes(attempt.usage.max_rss_bytes);
}

// Prints the last lines of stderr of a failed attempt.
void print_stderr_tail(Output& out, const Painter& paint, const Attempt& attempt) {
  const std::string states = last_states(attempt.stderr_tail);
  std::string_view tail = states;
  while (tail.ends_with('\n')) tail.remove_suffix(1);
  if (tail.empty()) return;
  std::size_t begin = tail.size();
  for (std::size_t i = 0; i < kTailLines && begin != 0; ++i) {
    const std::size_t newline = tail.rfind('\n', begin - 1);
    begin = newline == std::string_view::npos ? 0 : newline;
  }
  tail.remove_prefix(begin);
  if (tail.starts_with('\n')) tail.remove_prefix(1);
  out.line(paint(Color::dim, "  last words on stderr:"));
  while (!tail.empty()) {
    const std::size_t end = std::min(tail.find('\n'), tail.size());
    out.line("    " + escape_for_humans(tail.substr(0, end)));
    tail.remove_prefix(std::min(end + 1, tail.size()));
  }
}

std::vector<Attempt> read_attempts(const nlohmann::json& answer) {
  std::vector<Attempt> attempts;
  try {
    for (const nlohmann::json& item : answer.at("attempts"))
      attempts.push_back(attempt_from_json(item));
  } catch (const std::exception& e) {
    throw Failure(kExitBadAnswer,
                  std::string("this taskctl cannot read the daemon's attempts: ") + e.what());
  }
  return attempts;
}

void print_task(Context& context, const Painter& paint, const Task& task,
                const std::vector<Attempt>& attempts, const std::vector<Delivery>& deliveries) {
  const WallTime now = context.clock.wall_now();
  Lines lines(context.out, paint);
  std::string title = paint(Color::bold, "Task " + name_of(task));
  if (!task.spec.name.empty()) title += "  " + escape_for_humans(task.spec.name);
  context.out.line(title);
  lines.add("state", state_text(task, paint));
  if (task.array)
    lines.add("array", "index " + std::to_string(task.array->index) + " of array " +
                           std::to_string(task.array->array) + "; its id is " +
                           std::to_string(task.id));
  if (!task.schedule.empty()) lines.add("schedule", escape_for_humans(task.schedule));
  print_spec(lines, task.spec);
  const std::string owner = task.former_user.empty()
                                ? describe_user(task.uid)
                                : escape_for_humans(task.former_user) + ", who is gone";
  std::string user = owner;
  if (task.spec.user_uid && *task.spec.user_uid != task.uid)
    user = describe_user(*task.spec.user_uid) + ", submitted by " + owner;
  lines.add("user", user);
  print_times(lines, task, now);
  if (task.progress && task.progress_at) {
    const std::string told = describe_progress(task);
    lines.add("progress", (told.empty() ? "alive" : told) + "  (" +
                              format_relative(*task.progress_at, now) + ")");
  }
  const std::size_t skipped =
      attempts.size() > kShownAttempts ? attempts.size() - kShownAttempts : 0;
  if (skipped > 0) lines.add("attempts", "(" + std::to_string(skipped) + " earlier ones)");
  for (std::size_t i = skipped; i < attempts.size(); ++i)
    lines.add("attempt " + std::to_string(attempts[i].number), attempt_text(attempts[i], now));
  print_deliveries(lines, paint, deliveries, now);
  const bool failed =
      task.state == State::failed || (task.state == State::scheduled && task.attempt > 0);
  if (failed && !attempts.empty()) print_stderr_tail(context.out, paint, attempts.back());
}

}  // namespace

int show_command(Context& context, const Words& argv) {
  CommonOptions common;
  SelectorOptions selector;
  bool json = false;
  Args args("show", kShowHelp);
  args.words(selector.words);
  add_filter_options(args, selector);
  args.flag("--json", json,
            "{\"version\":1,\"tasks\":[…]}, each with its attempts\nand deliveries");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Selection selection = parse_selection(selector, context.clock.wall_now());
  if (!selection.by_id() && !selection.by_filter())
    throw UsageError(kExitUsage, "which task? Name an id, or last");
  const Painter paint = make_painter(context, common);
  const Client client = connect(context, common);
  const std::vector<TaskId> ids = select_ids(context, client, selection);
  if (ids.empty()) context.say("no task matches");
  std::vector<nlohmann::json> documents;
  for (const TaskId id : ids) {
    const std::string target = "/v1/tasks/" + std::to_string(id);
    nlohmann::json task = client.get(target);
    nlohmann::json attempts = client.get(target + "/attempts?limit=1000");
    nlohmann::json deliveries = client.get(target + "/deliveries?limit=1000");
    if (json) {
      task["attempts"] = attempts["attempts"];
      task["deliveries"] = deliveries["deliveries"];
      documents.push_back(std::move(task));
      continue;
    }
    if (id != ids.front()) context.out.line("");
    print_task(context, paint, read_task(task), read_attempts(attempts),
               read_deliveries(deliveries));
  }
  if (!json) return kExitOk;
  context.out.line(print_json({{"version", 1}, {"tasks", std::move(documents)}}));
  return kExitOk;
}

}  // namespace taskd::ctl
