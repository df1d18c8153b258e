#include "ctl/view/stats.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/commands/verbs.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "ctl/view/outcome.h"
#include "ctl/view/table.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr HelpText kStatsHelp{
    .usage = "[OPTIONS]",
    .paragraph =
        R"(Shows how many tasks each queue has in each state, how busy the workers are, and how much
of the declared resources is taken.)",
    .examples = R"(  taskctl stats
  taskctl stats --json | jq .counts.queued
)"};

// If there is no room for all columns, drops those without tasks first.
int spare_of(const Stats& stats, State state) {
  constexpr int kNobody = 5;
  if (stats.total(state) == 0) return kNobody;
  if (state == State::succeeded || state == State::cancelled) return 3;
  if (state == State::running || state == State::queued || state == State::failed) return 1;
  return 2;
}

void print_stats(Context& context, const Painter& paint, const Stats& stats) {
  std::string head = "taskd " + escape_for_humans(stats.daemon_version);
  if (stats.started_at)
    head += ", up for " + format_span(context.clock.wall_now() - *stats.started_at);
  head += ", " + std::to_string(stats.workers_busy) + " of " + std::to_string(stats.workers_total) +
          " workers busy";
  context.out.line(head);
  std::vector<Column> columns = {{"QUEUE", false, true}};
  for (const State state : kAllStates) {
    std::string title(to_string(state));
    for (char& c : title) c = static_cast<char>(c - 'a' + 'A');
    columns.push_back({title, true, false, spare_of(stats, state)});
  }
  columns.push_back({"CAPACITY", true, false, 4});
  // Most of the time this column is empty for every queue.
  const bool any_state =
      std::any_of(stats.queues.begin(), stats.queues.end(),
                  [](const auto& queue) { return queue.paused || queue.draining; });
  if (any_state) columns.push_back({"NOTE", false, false});
  Table table(std::move(columns));
  for (const QueueCounts& queue : stats.queues) {
    std::vector<Cell> row = {{escape_for_humans(queue.name)}};
    for (const State state : kAllStates) row.push_back({std::to_string(queue.count(state))});
    row.push_back({std::to_string(queue.capacity)});
    if (any_state) {
      const char* const note = queue.paused ? "paused" : queue.draining ? "draining" : "";
      row.push_back({note, Color::yellow});
    }
    table.add(std::move(row));
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

// Large amounts are almost always sizes.
std::string amount_text(std::int64_t amount) {
  constexpr std::int64_t kMinSize = 1 << 20;
  return amount < kMinSize ? std::to_string(amount) : format_bytes(amount);
}

void print_resources(Context& context, const Painter& paint,
                     const std::vector<ResourceUse>& resources) {
  if (resources.empty()) return;
  Table table({{"RESOURCE", false, true}, {"USED", true}, {"OF", true}, {"UNITS", false, true}});
  for (const ResourceUse& one : resources) {
    std::string units;
    for (const std::string& unit : one.used_units) units += (units.empty() ? "" : ", ") + unit;
    table.add({{escape_for_humans(one.name)},
               {amount_text(one.used), one.used > 0 ? color_of(State::running) : Color::none},
               {amount_text(one.amount)},
               {escape_for_humans(units)}});
  }
  const int width = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  context.out.line("");
  context.out.write(table.render(static_cast<std::size_t>(width), paint));
}

}  // namespace

int stats_command(Context& context, const Words& argv) {
  CommonOptions common;
  bool json = false;
  Args args("stats", kStatsHelp);
  args.flag("--json", json, "print it as JSON");
  add_common(args, common);
  if (!args.parse(argv, context.out)) return kExitOk;

  const Painter paint = make_painter(context, common);
  nlohmann::json answer = connect(context, common).get("/v1/stats");
  if (!json) {
    const Stats stats = read_stats(answer);
    print_stats(context, paint, stats);
    print_resources(context, paint, stats.resources);
    return kExitOk;
  }
  answer["daemon_version"] = std::move(answer["version"]);
  answer["version"] = 1;  // version of this document
  context.out.line(print_json(answer));
  return kExitOk;
}

}  // namespace taskd::ctl
