#include "daemon/engine/task_watch.h"

namespace taskd {

TaskWatch::Ticket::Ticket(TaskWatch& watch, TaskId task) : watch_(watch), task_(task) {}

TaskWatch::Ticket::~Ticket() {
  const MutexLock lock(watch_.mutex_);
  const auto [begin, end] = watch_.tickets_.equal_range(task_);
  for (auto it = begin; it != end; ++it) {
    if (it->second == this) {
      watch_.tickets_.erase(it);
      return;
    }
  }
}

void TaskWatch::Ticket::clear() {
  if (watch_.closed()) return;
  event_.clear();
  // close() may have raised it between the check and the read: raise it again.
  if (watch_.closed()) event_.raise();
}

std::unique_ptr<TaskWatch::Ticket> TaskWatch::watch(TaskId task) {
  std::unique_ptr<Ticket> ticket(new Ticket(*this, task));
  const MutexLock lock(mutex_);
  tickets_.emplace(task, ticket.get());
  if (closed()) ticket->event_.raise();
  return ticket;
}

void TaskWatch::publish(std::span<const Change> changes) {
  const MutexLock lock(mutex_);
  if (tickets_.empty()) return;
  for (const Change& change : changes) {
    const auto [begin, end] = tickets_.equal_range(change.task);
    for (auto it = begin; it != end; ++it) it->second->event_.raise();
  }
}

void TaskWatch::close() {
  const MutexLock lock(mutex_);
  closed_.store(true);
  for (const auto& [task, ticket] : tickets_) ticket->event_.raise();
}

}  // namespace taskd
