#include "daemon/engine/task_watch.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/base/errors.h"

namespace taskd {
namespace {

void raise_event(int fd) {
  const std::uint64_t one = 1;
  // Can only fail with EAGAIN at a count of 2^64 - 2, and then the fd is readable already.
  [[maybe_unused]] const ssize_t n = ::write(fd, &one, sizeof one);
}

}  // namespace

TaskWatch::Ticket::Ticket(TaskWatch& watch, TaskId task)
    : watch_(watch), task_(task), event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (!event_) throw_errno("eventfd");
}

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
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(event_.get(), &count, sizeof count);
  // close() may have raised it between the check and the read: raise it again.
  if (watch_.closed()) raise_event(event_.get());
}

std::unique_ptr<TaskWatch::Ticket> TaskWatch::watch(TaskId task) {
  std::unique_ptr<Ticket> ticket(new Ticket(*this, task));
  const MutexLock lock(mutex_);
  tickets_.emplace(task, ticket.get());
  if (closed()) raise_event(ticket->fd());
  return ticket;
}

void TaskWatch::publish(std::span<const Change> changes) {
  const MutexLock lock(mutex_);
  if (tickets_.empty()) return;
  for (const Change& change : changes) {
    const auto [begin, end] = tickets_.equal_range(change.task);
    for (auto it = begin; it != end; ++it) raise_event(it->second->fd());
  }
}

void TaskWatch::close() {
  const MutexLock lock(mutex_);
  closed_.store(true);
  for (const auto& [task, ticket] : tickets_) raise_event(ticket->fd());
}

}  // namespace taskd
