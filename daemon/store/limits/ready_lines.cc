#include "daemon/store/limits/ready_lines.h"

#include <utility>

namespace taskd {
namespace {

constexpr std::size_t kMostHeadless = 1000;

std::optional<ReadyLines::Head> find_head(Connection& db, const std::string& queue,
                                          const std::string& needs) {
  Query row = db.query(
      "SELECT priority, id FROM tasks INDEXED BY tasks_ready WHERE state = 'queued'"
      " AND queue = ?1 AND needs = ?2 ORDER BY priority DESC, id LIMIT 1");
  if (!row.bind(queue, needs).step()) return std::nullopt;
  return ReadyLines::Head{row.integer(0), row.int64(1), nullptr};
}

std::optional<std::string> next_needs(Connection& db, const std::string& queue,
                                      const std::string& needs) {
  Query row = db.query(
      "SELECT needs FROM tasks INDEXED BY tasks_ready WHERE state = 'queued'"
      " AND queue = ?1 AND needs > ?2 ORDER BY needs LIMIT 1");
  if (!row.bind(queue, needs).step()) return std::nullopt;
  return row.text(0);
}

}  // namespace

void ReadyLines::set_head(Queue& queue, Line& line, std::optional<Head> head) {
  if (line.head) queue.heads.erase(*line.head);
  line.head = head;
  if (!head) return;
  line.head->needs = &line.needs;
  queue.heads.insert(*line.head);
}

void ReadyLines::read_lines(Connection& db, const std::string& name, Queue& queue) {
  std::optional<std::string> needs = "";  // of a task that needs nothing but one slot
  for (; needs; needs = next_needs(db, name, *needs)) {
    const std::optional<Head> head = find_head(db, name, *needs);
    if (!head) continue;
    Line& line = queue.lines[*needs];
    line.needs = needs_from_stored(*needs).value_or(Needs());  // what cannot be read starts to fail
    set_head(queue, line, head);
  }
}

const ReadyLines::Heads& ReadyLines::heads(Connection& db, const std::string& name) {
  const auto [found, is_new] = queues_.try_emplace(name);
  Queue& queue = found->second;
  if (is_new) read_lines(db, name, queue);
  for (const std::string& needs : std::exchange(queue.headless, {})) {
    const auto line = queue.lines.find(needs);
    if (line == queue.lines.end() || line->second.head) continue;
    if (const auto head = find_head(db, name, needs)) {
      set_head(queue, line->second, head);
    } else {
      queue.lines.erase(line);
    }
  }
  return queue.heads;
}

void ReadyLines::enter(const std::string& name, const std::string& stored, const Needs& needs,
                       int priority, TaskId task) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  const auto [line, is_new] = queue.lines.try_emplace(stored);
  if (is_new) line->second.needs = needs;
  const Head head{priority, task, nullptr};
  if (is_new || (line->second.head && head < *line->second.head)) {
    set_head(queue, line->second, head);
  }
}

void ReadyLines::leave(const std::string& name, const std::string& stored, TaskId task) {
  const auto found = queues_.find(name);
  if (found == queues_.end()) return;
  Queue& queue = found->second;
  const auto line = queue.lines.find(stored);
  if (line == queue.lines.end() || !line->second.head || line->second.head->task != task) return;
  set_head(queue, line->second, std::nullopt);
  queue.headless.push_back(stored);
  // Nobody asks for a queue that is paused, but tasks come and go there all the same.
  if (queue.headless.size() > kMostHeadless) queues_.erase(found);
}

}  // namespace taskd
