#include "ctl/view/task_table.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "ctl/base/users.h"
#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "ctl/view/outcome.h"
#include "ctl/view/table.h"
#include "daemon/base/text.h"
#include "daemon/task/task_name.h"

namespace taskd::ctl {
namespace {

std::string time_cell(const Task& task, WallTime now) {
  switch (task.state) {
    case State::scheduled:
      return task.due_at ? format_relative(*task.due_at, now) : "";
    case State::running:
      return format_span(task.started_at ? now - *task.started_at : 0);
    case State::succeeded:
    case State::failed:
    case State::cancelled:
      if (!task.started_at || !task.ended_at) return "";
      return format_span(*task.ended_at - *task.started_at);
    case State::blocked:
    case State::held:
    case State::queued:
      break;
  }
  return format_span(now - task.created_at);
}

// Which columns have content.
struct Shown {
  bool queue = true;
  bool priority = true;
  bool user = false;
};

std::vector<Column> columns_of(const Shown& shown) {
  std::vector<Column> columns = {{"ID", true, false}, {"STATE", false, false}};
  if (shown.user) columns.push_back({"USER", false, false, 3});
  if (shown.queue) columns.push_back({"QUEUE", false, true, 4});
  if (shown.priority) columns.push_back({"PRI", true, false, 5});
  columns.push_back({"ATTEMPT", true, false, 6});
  columns.push_back({"TIME", true, false, 1});
  columns.push_back({"REASON", false, true, 2});
  columns.push_back({"NAME/COMMAND", false, true});
  return columns;
}

std::vector<Cell> row_of(const Task& task, const Shown& shown, WallTime now) {
  std::string name = task.spec.name.empty() ? command_line(task.spec) : task.spec.name;
  std::string attempt = std::to_string(task.attempt);
  if (task.spec.max_attempts > 1) attempt += "/" + std::to_string(task.spec.max_attempts);
  const Color color = color_of(task.state);
  std::vector<Cell> row = {{name_of(task)}, {std::string(to_string(task.state)), color}};
  if (shown.user)
    row.push_back(
        {task.former_user.empty() ? short_user(task.uid) : escape_for_humans(task.former_user)});
  if (shown.queue) row.push_back({escape_for_humans(task.spec.queue)});
  if (shown.priority) row.push_back({std::to_string(task.spec.priority)});
  row.push_back({attempt});
  row.push_back({time_cell(task, now)});
  row.push_back({describe_reason(task), task.state == State::failed ? color : Color::none});
  row.push_back({escape_for_table(name)});
  return row;
}

}  // namespace

void print_tasks(Context& context, const Painter& paint,
                 const std::vector<nlohmann::json>& documents) {
  std::vector<Task> tasks;
  for (const nlohmann::json& document : documents) tasks.push_back(read_task(document));
  const int columns = terminal_columns(context.out.fd(), context.env.get("COLUMNS"));
  Shown shown;
  if (columns != 0) {
    // Saves space on a terminal: leaves out columns whose values are all the default.
    shown.queue = std::any_of(tasks.begin(), tasks.end(),
                              [](const Task& task) { return task.spec.queue != TaskSpec().queue; });
    shown.priority = std::any_of(tasks.begin(), tasks.end(),
                                 [](const Task& task) { return task.spec.priority != 0; });
    shown.user = std::any_of(tasks.begin(), tasks.end(),
                             [&](const Task& task) { return task.uid != tasks.front().uid; });
  }
  Table table(columns_of(shown));
  const WallTime now = context.clock.wall_now();
  for (const Task& task : tasks) table.add(row_of(task, shown, now));
  context.out.write(table.render(static_cast<std::size_t>(columns), paint));
}

}  // namespace taskd::ctl
