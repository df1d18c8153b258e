// The tasks that are running, in commit order. Connects a committed cancel to the attempt that it
// must stop, and delivers signals.
//
// Fed from the store's on_commit, so an entry appears with the claim's COMMIT, before a worker
// launches it. A cancel that arrives in between is kept until the attempt exists. Thread-safe.
#pragma once

#include <optional>
#include <span>
#include <unordered_map>

#include "daemon/base/mutex.h"
#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

class RunningSet {
 public:
  void publish(std::span<const Change> changes);

  // From here until detach(), a cancel stops the attempt through stop(). Also for attempts that are
  // older than this daemon.
  void attach(TaskId task, LiveAttempt& live, bool cancel_requested);
  void detach(TaskId task);

  // Calls LiveAttempt::signal() for the task's attempt. Returns false if none is running.
  bool signal(TaskId task, int number);
  // The same for all tasks or, if one of them has no running attempt, for none: then returns that
  // task.
  std::optional<TaskId> signal_all(std::span<const TaskId> tasks, int number);

  int busy() const;

 private:
  bool signal_locked(TaskId task, int number) TASKD_REQUIRES(mutex_);

  struct Entry {
    LiveAttempt* live = nullptr;
    bool cancel_requested = false;
  };
  mutable Mutex mutex_;
  std::unordered_map<TaskId, Entry> entries_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
