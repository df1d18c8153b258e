#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/verbs.h"
#include "ctl/follow/waiter.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "ctl/view/outcome.h"
#include "ctl/view/workflow_view.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kWaitHelp{
    .usage = "[OPTIONS] TASK… | FILTER | --all",
    .paragraph =
        R"(Waits until the tasks have ended. For one task the exit code is its own: its
command's, 128+n for signal n, 124 for its timeout, 125 if it was cancelled, lost or
never ran. For several it is 0 if all succeeded, else 1. A filter means the tasks
that match and have not ended now, so --state takes no final state: find ended tasks
with "taskctl list". An array's id, --array and --workflow mean all of their tasks.
An interrupt leaves the tasks alone, and a restart of the daemon is waited out.)",
    .examples =
        R"(  taskctl wait 12 && echo good
  taskctl wait 12-20 --timeout 10m
  taskctl wait --queue nightly
  taskctl wait --workflow 3
  taskctl wait --all
)"};

const std::vector<State> kUnfinished = {State::scheduled, State::blocked, State::held,
                                        State::queued, State::running};

// A filter never selects ended tasks. Waiting for none would look like success.
void check_filter(const Selection& selection) {
  const bool ended = selection.dead || !selection.reasons.empty() || selection.ended_since ||
                     selection.ended_before;
  if (ended)
    throw UsageError(kExitUsage,
                     "a filter selects tasks that have not ended; --dead, --reason, --ended-since "
                     "and --ended-before match none of these");
  for (const State state : selection.states) {
    if (is_end(state))
      throw UsageError(kExitUsage, "--state: a filter selects tasks that have not ended, and " +
                                       std::string(to_string(state)) + " is a final state");
  }
}

// Up to `limit` of the tasks; 0 = all.
std::vector<nlohmann::json> list_named(const Client& client, const std::string& query,
                                       std::size_t limit) {
  std::vector<nlohmann::json> tasks;
  list_tasks(client, query + "&order=oldest", limit,
             [&](nlohmann::json task) { tasks.push_back(std::move(task)); });
  return tasks;
}

int wait_for_named(Context& context, const Client& client, const std::vector<std::string>& words,
                   const WaitOptions& options, bool json) {
  constexpr std::size_t kShown = 10;
  const std::string query = names_to_query(words);
  if (const auto some = list_named(client, query, 2); some.size() == 1) {
    const auto answers = wait_for_tasks(context, client, {read_task(some[0]).id}, options);
    if (json) context.out.line(print_json({{"version", 1}, {"tasks", answers}}));
    if (options.progress) say_failures(context, answers);
    return exit_code_of_all(answers);
  }
  const WaitResult result = wait_for_names(context, client, words, options);
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", list_named(client, query, 0)}}));
  const std::size_t bad = result.count - result.succeeded;
  if (bad > 0 && options.progress) {
    const auto failed = list_named(client, query + "&state=failed,cancelled", kShown);
    say_failures(context, failed, bad - failed.size());
  }
  return bad > 0 ? kExitSomeFailed : kExitOk;
}

}  // namespace

int wait_command(Context& context, const Words& argv) {
  CommonOptions common;
  SelectorOptions selector;
  std::optional<std::string> timeout;
  bool all = false;
  bool json = false;
  bool quiet = false;
  Args args("wait", kWaitHelp);
  args.words(selector.words);
  args.flag("--all", all, "all your tasks that have not ended");
  add_filter_options(args, selector);
  args.option("--timeout", "TIME", timeout, "give up after this long (exit code 75)");
  args.flag("--json", json, "print the ended tasks as JSON");
  args.flag("--quiet", quiet, "print neither progress nor failures");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  Selection selection = parse_selection(selector, context.clock.wall_now());
  if (all && (selection.by_id() || selection.by_filter()))
    throw UsageError(kExitUsage, "--all cannot be combined with ids or a filter");
  if (!all && !selection.by_id() && !selection.by_filter())
    throw UsageError(kExitUsage, "which tasks? Name ids, a filter such as --queue, or --all");
  check_filter(selection);
  if (all) selection.user = std::to_string(::getuid());
  WaitOptions options{.timeout_ms = {}, .progress = !quiet};
  if (timeout) options.timeout_ms = duration_flag("--timeout", *timeout);

  const Client client = connect(context, common);
  // An array or a workflow is waited for as a whole.
  if (selection.array) {
    // Fails if there is no such array.
    client.get("/v1/tasks?limit=1&" + filter_to_query(selection));
    selection.words = {std::to_string(*selection.array)};
  }
  if (selection.by_id()) return wait_for_named(context, client, selection.words, options, json);
  const BootTime begin = context.clock.boot_now();
  const std::vector<TaskId> ids = select_ids(
      context, client, selection, selection.workflow ? std::vector<State>() : kUnfinished,
      [&](std::size_t found) {
        if (options.timeout_ms && context.clock.boot_now() >= begin + *options.timeout_ms)
          throw Failure(kExitTryLater,
                        "timed out while looking for the tasks; there are more than " +
                            std::to_string(found));
      });
  if (options.timeout_ms) {
    const std::int64_t spent_ms = context.clock.boot_now() - begin;
    options.timeout_ms = std::max<std::int64_t>(*options.timeout_ms - spent_ms, 0);
  }
  if (ids.empty() && !quiet) context.say("no task matches; nothing to wait for");
  std::vector<nlohmann::json> answers = wait_for_tasks(context, client, ids, options);
  if (json) context.out.line(print_json({{"version", 1}, {"tasks", answers}}));
  if (selection.workflow) drop_skipped(client, *selection.workflow, answers);
  if (!quiet) say_failures(context, answers);
  return exit_code_of_all(answers);
}

}  // namespace taskd::ctl
