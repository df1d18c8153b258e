// Which tasks are running right now, in the order of commits: the bridge between a cancel that was
// committed and the attempt it must stop, and the way of a signal.
//
// Fed from the store's on_commit, so an entry appears with the claim's COMMIT and not when a worker
// gets round to it; a cancel that lands between claim and launch is kept until the attempt is
// there. Thread-safe.
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

  // A worker has the attempt in hand until detach(); a cancel reaches it through stop(). Works for
  // attempts that were running before this daemon too.
  void attach(TaskId task, LiveAttempt& live, bool cancel_requested);
  void detach(TaskId task);

  // LiveAttempt::signal() of what runs of the task. False: nothing does right now.
  bool signal(TaskId task, int number);
  // The same for all of them, or, where something of one does not run right now, for none: then that
  // task is returned.
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
