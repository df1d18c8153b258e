#include "daemon/store/limits/ready_index.h"

#include <utility>

namespace taskd {
namespace {

constexpr std::size_t kMaxHeadless = 1000;

std::optional<ReadyIndex::Head> find_head(Connection& db, const std::string& queue,
                                          const std::string& demand) {
  Query row = db.query(
      "SELECT priority, id FROM tasks INDEXED BY tasks_ready WHERE state = 'queued'"
      " AND queue = ?1 AND demand = ?2 ORDER BY priority DESC, id LIMIT 1");
  if (!row.bind(queue, demand).step()) return std::nullopt;
  return ReadyIndex::Head{row.integer(0), row.int64(1), nullptr};
}

}  // namespace

std::optional<std::string> next_demand(Connection& db, const std::string& queue,
                                       const std::string& demand) {
  Query row = db.query(
      "SELECT demand FROM tasks INDEXED BY tasks_ready WHERE state = 'queued'"
      " AND queue = ?1 AND demand > ?2 ORDER BY demand LIMIT 1");
  if (!row.bind(queue, demand).step()) return std::nullopt;
  return row.text(0);
}

void ReadyIndex::set_head(Queue& queue, Line& line, std::optional<Head> head) {
  if (line.head) queue.heads.erase(*line.head);
  line.head = head;
  if (!head) return;
  line.head->demand = &line.demand;
  queue.heads.insert(*line.head);
}

void ReadyIndex::read_lines(Connection& db, const std::string& name, Queue& queue) {
  std::optional<std::string> demand = "";  // demand of a task that needs just one slot
  for (; demand; demand = next_demand(db, name, *demand)) {
    const std::optional<Head> head = find_head(db, name, *demand);
    if (!head) continue;
    Line& line = queue.lines[*demand];
    line.demand =
        demand_from_stored(*demand).value_or(Demand());  // if unreadable, its start will fail
    set_head(queue, line, head);
  }
}

const ReadyIndex::Heads& ReadyIndex::heads(Connection& db, const std::string& name) {
  const auto [found, is_new] = queues_.try_emplace(name);
  Queue& queue = found->second;
  if (is_new) read_lines(db, name, queue);
  for (const std::string& demand : std::exchange(queue.headless, {})) {
    const auto line = queue.lines.find(demand);
    if (line == queue.lines.end() || line->second.head) continue;
    if (const auto head = find_head(db, name, demand)) {
      set_head(queue, line->second, head);
    } else {
      queue.lines.erase(line);
    }
  }
  return queue.heads;
}

void ReadyIndex::enter(const std::string& name, const std::string& stored, const Demand& demand,
                       int priority, TaskId task) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  const auto [line, is_new] = queue.lines.try_emplace(stored);
  if (is_new) line->second.demand = demand;
  const Head head{priority, task, nullptr};
  if (is_new || (line->second.head && head < *line->second.head)) {
    set_head(queue, line->second, head);
  }
}

void ReadyIndex::leave(const std::string& name, const std::string& stored, TaskId task) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  const auto line = queue.lines.find(stored);
  if (line == queue.lines.end() || !line->second.head || line->second.head->task != task) return;
  set_head(queue, line->second, std::nullopt);
  queue.headless.push_back(stored);
  // Nobody asks for a paused queue, but tasks still come and go there.
  if (queue.headless.size() > kMaxHeadless) queues_.erase(found);
}

}  // namespace taskd
