#include "daemon/engine/running_set.h"

namespace taskd {

void RunningSet::publish(std::span<const Change> changes) {
  const MutexLock lock(mutex_);
  for (const Change& change : changes) {
    if (change.to != State::running) {
      // The worker that reported the end detached before it did; nobody holds a pointer here.
      entries_.erase(change.task);
      continue;
    }
    Entry& entry = entries_[change.task];
    if (!change.cancel_requested) continue;
    entry.cancel_requested = true;
    if (entry.live != nullptr) entry.live->stop();
  }
}

void RunningSet::attach(TaskId task, LiveAttempt& live, bool cancel_requested) {
  const MutexLock lock(mutex_);
  Entry& entry = entries_[task];
  entry.live = &live;
  entry.cancel_requested |= cancel_requested;
  if (entry.cancel_requested) live.stop();
}

void RunningSet::detach(TaskId task) {
  const MutexLock lock(mutex_);
  if (const auto it = entries_.find(task); it != entries_.end()) it->second.live = nullptr;
}

bool RunningSet::signal(TaskId task, int number) {
  const MutexLock lock(mutex_);
  return signal_locked(task, number);
}

std::optional<TaskId> RunningSet::signal_all(std::span<const TaskId> tasks, int number) {
  const MutexLock lock(mutex_);
  for (const TaskId task : tasks) {
    if (!signal_locked(task, 0)) return task;
  }
  // One that ends in this very moment has ended without it, as if the signal had come too late.
  for (const TaskId task : tasks) signal_locked(task, number);
  return std::nullopt;
}

bool RunningSet::signal_locked(TaskId task, int number) {
  const auto it = entries_.find(task);
  return it != entries_.end() && it->second.live != nullptr && it->second.live->signal(number);
}

int RunningSet::busy() const {
  const MutexLock lock(mutex_);
  return static_cast<int>(entries_.size());
}

}  // namespace taskd
