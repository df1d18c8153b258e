#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/bulk/bulk_submit.h"
#include "ctl/commands/verbs.h"
#include "ctl/follow/waiter.h"
#include "ctl/options/selector.h"
#include "ctl/options/submit_options.h"
#include "ctl/options/when.h"
#include "ctl/view/outcome.h"
#include "daemon/base/errors.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kMaxKeyPrefix = 200;  // a line number is appended

constexpr HelpText kSubmitHelp{
    .usage =
        "[OPTIONS] -- COMMAND [ARG…]\n       taskctl submit [OPTIONS] --shell LINE\n"
        "       taskctl submit --like ID [OPTIONS] [-- COMMAND [ARG…]]\n"
        "       taskctl submit [OPTIONS] --handler NAME [--payload JSON]\n"
        "       taskctl submit [OPTIONS] --from FILE [-- COMMAND [ARG…]]\n"
        "       taskctl submit [OPTIONS] --each-line FILE -- COMMAND [ARG…]",
    .paragraph =
        R"(Hands a command to the daemon and prints the task's id once it is safely on disk.
The command gets exactly these arguments, without a shell; it runs in this folder,
as you, with a small environment. With --wait taskctl stays until the task has ended
and exits with its code (see man taskctl); an interrupt then leaves the task alone.

With --like the task is a copy of another one of yours, its environment included; the
other options change the copy, as in edit. It depends on nothing, belongs to no array,
workflow or schedule, and starts as soon as it may.

With --from or --each-line every line of a file (- is stdin) is a task, and the ids are
printed one per line. The tasks are stored a thousand at a time, all or none. The same
command, run again after a crash or an interrupt, continues where it stopped and submits
nothing twice, for a week. For a nightly run of the same lines, name a new
--idempotency-key each time, such as night-$(date +%F).)",
    .examples =
        R"(  taskctl submit -- make -j4 all
  taskctl submit --name backup --at 03:00 --timeout 2h -- ./backup.sh
  taskctl submit --max-attempts 5 --retry-delay 30s -- curl -fO https://example.org/x
  id=$(taskctl submit --shell 'sort big | uniq -c > counts') && taskctl wait "$id"
  taskctl submit --like 12 --env LEVEL=9 --queue night
  taskctl submit --from tasks.ndjson --queue night   # {"argv":["./job","1"],"name":"one"}
  taskctl submit --handler send_email --payload '{"to":"x@example.org"}'
  find . -name '*.wav' -print0 | taskctl submit --each-line - -0 -- flac --best {}
)"};

struct BulkOptions {
  std::optional<std::string> from, each_line, wait_for_room;
  bool nul = false;
  bool quiet = false;

  void declare(Args& args) {
    args.option("--from", "FILE", from,
                "each line is a task in JSON, as in the API;\n"
                "these options are its defaults");
    args.option("--each-line", "FILE", each_line,
                "run the command once for each line, which replaces\n"
                "{} or becomes the last argument");
    args.flag("-0,--null", nul, "lines end in NUL, as from \"find -print0\": for any\nfile name");
    args.option("--wait-for-room", "TIME", wait_for_room,
                "with many tasks: wait this long while the queue is\nfull (default: 0, stop)");
    args.flag("--quiet", quiet, "with many tasks: no progress bar and no summary");
  }
};

int submit_many(Context& context, const CommonOptions& common, SubmitOptions& options,
                const BulkOptions& bulk, bool json, bool wait) {
  if (bulk.from && bulk.each_line)
    throw UsageError(kExitUsage, "give either --from or --each-line, not both");
  if (bulk.each_line && options.command().empty())
    throw UsageError(kExitUsage,
                     "--each-line completes a command: write it after --; for a line of the shell "
                     "-- sh -c 'LINE with \"$1\"' sh");
  if (options.is_like_another()) throw UsageError(kExitUsage, "--like is for one task");
  if (options.takes_stdin() && (bulk.from == "-" || bulk.each_line == "-"))
    throw UsageError(kExitUsage, "--stdin - and lines from - cannot share one standard input");
  BulkSubmit lines;
  lines.path = bulk.from ? *bulk.from : *bulk.each_line;
  lines.json = json;
  lines.quiet = bulk.quiet;
  if (bulk.nul) lines.ends = LineSource::End::nul;
  lines.key = options.idempotency_key();
  if (lines.key && lines.key->size() > kMaxKeyPrefix)
    throw UsageError(kExitUsage, "with many tasks --idempotency-key takes 200 characters at most");
  if (bulk.wait_for_room)
    lines.wait_for_room_ms = duration_flag("--wait-for-room", *bulk.wait_for_room);
  options.set_repeatable();
  lines.defaults = options.to_defaults(context);
  lines.identity = options.identity(lines.defaults);
  if (bulk.each_line) {
    lines.command = options.command();
    lines.defaults.erase("argv");
  }
  if (comes_after_last(lines.defaults))
    throw UsageError(kExitUsage, "--after last is for a single task; with many, name an id");
  std::vector<TaskId> ids;
  if (wait) lines.ids = &ids;
  lines.prints = !(wait && json);  // it prints them once they have ended
  const Client client = connect(context, common);
  const int exit_code = submit_lines(context, client, lines);
  if (exit_code != kExitOk || ids.empty()) return exit_code;
  context.out.flush();
  std::vector<nlohmann::json> ended =
      wait_for_tasks(context, client, ids, {.timeout_ms = {}, .progress = !bulk.quiet});
  say_failures(context, ended);
  const int result = exit_code_of_all(ended);
  for (nlohmann::json& task : ended) {
    if (!json) break;
    task["version"] = 1;
    context.out.line(print_json(task));
  }
  return result;
}

// The array's id, which every verb takes as the whole array.
int after_array(Context& context, const Client& client, const ArrayRange& array,
                nlohmann::json answer, bool json, bool wait) {
  const TaskId id = read_task(answer).id;
  if (!json) context.out.line(std::to_string(id));
  context.out.flush();
  WaitResult result;
  if (wait) {
    result = wait_for_names(context, client, {std::to_string(id)}, {});
    answer = client.get("/v1/tasks/" + std::to_string(id));
  }
  if (json) {
    answer["last_id"] = id + array.count() - 1;
    context.out.line(print_json({{"version", 1}, {"tasks", {std::move(answer)}}}));
  }
  if (result.succeeded == result.count) return kExitOk;
  context.say(std::to_string(result.count - result.succeeded) + " of " + count_tasks(result.count) +
              " did not succeed");
  return kExitSomeFailed;
}

}  // namespace

int submit_command(Context& context, const Words& argv) {
  CommonOptions common;
  SubmitOptions options;
  bool json = false;
  bool wait = false;
  BulkOptions bulk;
  Args args("submit", kSubmitHelp);
  options.declare(args);
  bulk.declare(args);
  args.flag("--wait", wait,
            "wait for the end and exit with the task's code;\nwith many: 0 if all succeed, else 1");
  args.flag("--json", json, "{\"version\":1,\"tasks\":[…]}; with --wait as they\nhave ended");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  if (bulk.nul && !bulk.each_line) throw UsageError(kExitUsage, "--null needs --each-line");
  if (bulk.from || bulk.each_line) {
    return submit_many(context, common, options, bulk, json, wait);
  }
  nlohmann::json body = options.to_body(context);
  const std::optional<ArrayRange> array = options.array();
  const Client client = connect(context, common);
  nlohmann::json answer = options.submit(context, client, std::move(body));
  const TaskId id = read_task(answer).id;
  if (array) return after_array(context, client, *array, std::move(answer), json, wait);
  if (!json) context.out.line(std::to_string(id));
  context.out.flush();
  std::vector<nlohmann::json> ended;
  if (wait) {
    ended = wait_for_tasks(context, client, {id}, {});
    say_failures(context, ended);
    answer = ended.front();
  }
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", {std::move(answer)}}}));
  return wait ? exit_code_of_all(ended) : kExitOk;
}

}  // namespace taskd::ctl
