#include <unistd.h>

#include <climits>
#include <nlohmann/json.hpp>

#include "ctl/commands/verbs.h"
#include "ctl/follow/follow.h"
#include "ctl/follow/job_output.h"
#include "ctl/follow/merged_output.h"
#include "ctl/options/selector.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kLogsHelp{
    .usage = "[OPTIONS] ID… | FILTER",
    .paragraph =
        R"(Prints the output of a task's latest attempt: its stdout to stdout, its stderr to
stderr, in the order in which it wrote them (what it wrote at the same instant may
change places). On a terminal only colours pass; other control characters are shown,
not obeyed, and of a line rewritten by carriage returns only the last state is shown.
Elsewhere the bytes are exactly the task's. With --follow the output comes as it is
written, until the attempt ends; if the task waits, once it starts.)",
    .examples =
        R"(  taskctl logs 12
  taskctl logs -f last
  taskctl logs -n 20 --stderr 12
  taskctl logs --attempt 1 12 > first.log
)"};

constexpr int kQuietMs = 60'000;

struct LogOptions {
  bool out = false;
  bool err = false;
  bool follow = false;
  bool raw = false;
  bool merge = false;
  int attempt = 0;  // 0 = the latest
  std::optional<std::int64_t> tail_bytes;
  std::optional<std::int64_t> lines;
};

std::int64_t number_flag(std::string_view flag, const std::string& text, std::int64_t min) {
  const auto value = parse_int(text);
  if (!value || *value < min || *value > INT_MAX)
    throw UsageError(kExitUsage, std::string(flag) + ": \"" + escape_for_humans(text) +
                                     "\" is not a number from " + std::to_string(min));
  return *value;
}

// Prints what exists of one stream.
OutputTail print_present(const Client& client, const std::string& target, const LogOptions& options,
                         const ByteSink& sink) {
  if (!options.lines && !options.tail_bytes) return fetch_output(client, target, 0, sink);
  OutputTail tail = options.lines ? fetch_last_lines(client, target, *options.lines)
                                  : fetch_tail(client, target, *options.tail_bytes);
  sink(tail.bytes);
  return tail;
}

// Otherwise only a marker within the output shows it, which may be far above or in a file.
void say_dropped(Context& context, TaskId id, std::string_view stream, std::int64_t bytes) {
  if (bytes == 0) return;
  context.say(std::to_string(bytes) + " bytes of task " + std::to_string(id) + "'s " +
              std::string(stream) + " were dropped (output_cap exceeded, or disk full)");
}

void follow(Context& context, const Client& client, TaskId id, const LogOptions& options,
            JobOutput& output) {
  const Task task = get_task(client, id);
  const bool begun = task.attempt > 0;
  const int attempt = options.attempt != 0 ? options.attempt : begun ? task.attempt : 1;
  const auto want = [&](bool wanted, std::string_view stream, ByteSink sink) {
    AttemptFollower::Want out;
    if (!wanted) return out;
    const bool skips = options.lines || options.tail_bytes;
    if (skips && attempt <= task.attempt)
      out.offset =
          print_present(client, logs_target(id, stream, attempt), options, sink).next_offset;
    out.sink = std::move(sink);
    return out;
  };
  AttemptFollower follower(
      context, client, id, attempt, want(options.out, "stdout", output.out_sink()),
      want(options.err, "stderr", options.merge ? output.out_sink() : output.err_sink()));
  output.flush();
  while (!follower.done()) {
    // "logs -f | grep -m 1 ready" must end with grep, not with the next line.
    const bool reader_gone = follower.step(kQuietMs, STDOUT_FILENO, 0);
    output.flush();
    if (reader_gone) throw Failure(kExitClosedPipe, "");
  }
  const auto say_end = [&](bool wanted, std::string_view stream) {
    if (!wanted) return;
    const std::string target = logs_target(id, stream, attempt);
    say_dropped(context, id, stream, fetch_tail(client, target, 1).dropped_bytes);
  };
  try {
    say_end(options.out, "stdout");
    say_end(options.err, "stderr");
  } catch (const Refused&) {  // it was removed meanwhile, or never had an attempt
  }
}

LogOptions parse(const std::optional<std::string>& attempt, const std::optional<std::string>& tail,
                 const std::optional<std::string>& lines, LogOptions options) {
  if (tail && lines) throw UsageError(kExitUsage, "give either --tail or --lines, not both");
  if (attempt) options.attempt = static_cast<int>(number_flag("--attempt", *attempt, 1));
  if (tail) options.tail_bytes = number_flag("--tail", *tail, 1);
  if (lines) options.lines = number_flag("--lines", *lines, 0);
  if (options.merge && (options.out || options.err || tail || lines))
    throw UsageError(
        kExitUsage,
        "--merge shows both streams whole: it cannot be combined with --stdout, --stderr, "
        "--lines or --tail");
  if (!options.out && !options.err) options.out = options.err = true;
  return options;
}

}  // namespace

int logs_command(Context& context, const Words& argv) {
  CommonOptions common;
  SelectorOptions selector;
  LogOptions options;
  std::optional<std::string> attempt, tail, lines;
  Args args("logs", kLogsHelp);
  args.words(selector.words);
  add_filter_options(args, selector);
  args.flag("--stdout", options.out, "only its stdout");
  args.flag("--stderr", options.err, "only its stderr");
  args.option("--attempt", "N", attempt, "of this attempt (default: the latest)");
  args.flag("-f,--follow", options.follow, "follow until the attempt ends");
  args.option("-n,--lines", "N", lines, "only the last N lines (of the last 8 MiB)");
  args.option("--tail", "BYTES", tail, "only the last BYTES (8 MiB at most)");
  args.flag("--merge", options.merge, "both streams to stdout, as with 2>&1");
  args.flag("--raw", options.raw, "do not escape control characters on a terminal");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  options = parse(attempt, tail, lines, options);
  const Selection selection = parse_selection(selector, context.clock.wall_now());
  if (!selection.by_id() && !selection.by_filter())
    throw UsageError(kExitUsage, "which task? Name an id, or last");
  const bool colors = common.color.value_or("auto") != "never";
  make_painter(context, common);  // checks --color
  const Client client = connect(context, common);
  const std::vector<TaskId> ids = select_ids(context, client, selection);
  if (options.follow && ids.size() != 1) throw UsageError(kExitUsage, "--follow takes one task");
  if (ids.empty()) context.say("no task matches");

  JobOutput output(context, options.raw, colors);
  for (const TaskId id : ids) {
    if (options.follow) {
      follow(context, client, id, options, output);
      continue;
    }
    try {
      OutputTail out, err;
      const bool merged = options.out && options.err && !options.lines && !options.tail_bytes;
      if (merged) {
        const Dropped dropped = fetch_merged(client, id, options.attempt, output.out_sink(),
                                             options.merge ? output.out_sink() : output.err_sink());
        out.dropped_bytes = dropped.out_bytes;
        err.dropped_bytes = dropped.err_bytes;
      }
      if (options.out && !merged)
        out = print_present(client, logs_target(id, "stdout", options.attempt), options,
                            output.out_sink());
      if (options.err && !merged)
        err = print_present(client, logs_target(id, "stderr", options.attempt), options,
                            output.err_sink());
      if (out.dropped_bytes + err.dropped_bytes > 0) output.flush();
      say_dropped(context, id, "stdout", out.dropped_bytes);
      say_dropped(context, id, "stderr", err.dropped_bytes);
    } catch (const Refused& refused) {
      if (ids.size() == 1 || refused.problem.code != "no_such_attempt") throw;
      context.say(refused.what());  // the other tasks' output is still printed
    }
  }
  output.finish();
  return kExitOk;
}

}  // namespace taskd::ctl
