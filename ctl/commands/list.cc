#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "ctl/view/table.h"
#include "ctl/view/task_table.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kDefaultLimit = 50;
// On a terminal: the titles, the note about further tasks, the prompt.
constexpr int kOtherLines = 3;
constexpr std::size_t kMaxCounted = 100;  // of the tasks that are not shown

constexpr HelpText kListHelp{
    .usage = "[OPTIONS] [TASK… | FILTER]",
    .paragraph =
        R"(Lists tasks, the newest first. TIME is how long a task waits ("in 5m": until it may
start), how long it has been running, or how long its last attempt took. REASON is
how it failed, or the progress it reports. On a terminal the table is cut to the
screen, queues and priorities are shown only if one is not the default, and users only
if they differ.)",
    .examples =
        R"(  taskctl list
  taskctl list --state running,queued
  taskctl list --state failed --since 1d --label team=web
  taskctl list --dead --queue mail          # given up: what "retry --dead" would take
  taskctl list --all --json | jq -r '.tasks[].id'
)"};

// Returns the cursor of the tasks left out.
std::string collect(Context& context, const Client& client, const Selection& selection, bool oldest,
                    std::size_t limit, std::vector<nlohmann::json>& tasks) {
  if (selection.by_id()) {
    tasks = named_tasks(context, client, selection.words);
    return "";
  }
  std::string query = filter_to_query(selection);
  if (oldest) query += query.empty() ? "order=oldest" : "&order=oldest";
  return list_tasks(client, query, limit,
                    [&](nlohmann::json task) { tasks.push_back(std::move(task)); });
}

}  // namespace

int list_command(Context& context, const Words& argv) {
  CommonOptions common;
  SelectorOptions selector;
  std::optional<std::string> limit_text;
  bool all = false;
  bool oldest = false;
  bool json = false;
  Args args("list", kListHelp);
  args.words(selector.words);
  add_filter_options(args, selector);
  args.option("-n,--limit", "N", limit_text,
              "at most N tasks (default: what fits on the\n"
              "terminal, 50 elsewhere)");
  args.flag("--all", all, "all tasks");
  args.flag("--oldest", oldest, "the oldest first");
  args.flag("--json", json, "{\"version\":1,\"tasks\":[…],\"next_cursor\":…}");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Selection selection = parse_selection(selector, context.clock.wall_now());
  const int lines = terminal_lines(context.out.fd(), context.env.get("LINES"));
  const bool fitted = lines > 0 && !json && !limit_text && !all && !selection.by_id();
  const auto fitting = static_cast<std::size_t>(std::max(lines - kOtherLines, 1));
  const std::size_t limit =
      fitted ? fitting + kMaxCounted : list_limit(limit_text, all, kDefaultLimit);
  const Painter paint = make_painter(context, common);
  const Client client = connect(context, common);
  std::vector<nlohmann::json> tasks;
  const std::string cursor = collect(context, client, selection, oldest, limit, tasks);
  if (json) {
    const nlohmann::json next = cursor.empty() ? nlohmann::json(nullptr) : nlohmann::json(cursor);
    context.out.line(print_json({{"version", 1}, {"tasks", tasks}, {"next_cursor", next}}));
    if (!cursor.empty()) say_more_are_left(context, tasks.size());
    return kExitOk;
  }
  if (tasks.empty()) {
    context.say(selection.by_filter() ? "no task matches" : "there are no tasks");
    return kExitOk;
  }
  const std::size_t left_out = fitted && tasks.size() > fitting ? tasks.size() - fitting : 0;
  tasks.resize(tasks.size() - left_out);
  print_tasks(context, paint, tasks);
  if (left_out > 0)
    context.say((cursor.empty() ? "… " : "… more than ") + std::to_string(left_out) +
                " more (--limit N, --all)");
  else if (!cursor.empty())
    say_more_are_left(context, tasks.size());
  return kExitOk;
}

}  // namespace taskd::ctl
