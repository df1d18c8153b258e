// What running jobs report of their progress, on its way into the store; and who watches that they
// do report. However many jobs report however often, there is one commit a second at most, which
// holds the latest of each; what is not written yet is lost with the daemon.
//
// Thread-safe. One thread of its own writes; it sleeps while nobody reports. The store and the
// clock outlive it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/store/task_store.h"

namespace taskd {

class ProgressBoard {
 public:
  // `on_fatal` is told of an exception it cannot go on after; it must not return.
  ProgressBoard(TaskStore& store, const Clock& clock,
                std::function<void(const std::string&)> on_fatal);
  ~ProgressBoard();

  void start();
  // Writes what is not written yet.
  void stop();

  // False: the attempt is not live, or this is not its token.
  bool report(const AttemptKey& attempt, const Progress& progress);

 private:
  friend class ProgressWatch;
  void watch(TaskId task);
  void unwatch(TaskId task);
  BootTime last_heard(TaskId task) const;
  void run();
  void write();

  TaskStore& store_;
  const Clock& clock_;
  const std::function<void(const std::string&)> on_fatal_;
  mutable Mutex mutex_;
  CondVar changed_;
  bool stopping_ TASKD_GUARDED_BY(mutex_) = false;
  std::map<TaskId, ProgressReport> unwritten_ TASKD_GUARDED_BY(mutex_);
  std::unordered_map<TaskId, BootTime> heard_ TASKD_GUARDED_BY(mutex_);
  std::thread thread_;
};

// Remembers when a task last reported, while it lives: one a task. Its beginning counts as a
// report.
class ProgressWatch {
 public:
  ProgressWatch(ProgressBoard& board, TaskId task) : board_(board), task_(task) {
    board_.watch(task_);
  }
  ~ProgressWatch() { board_.unwatch(task_); }
  ProgressWatch(const ProgressWatch&) = delete;
  ProgressWatch& operator=(const ProgressWatch&) = delete;

  BootTime last_heard() const { return board_.last_heard(task_); }

 private:
  ProgressBoard& board_;
  const TaskId task_;
};

}  // namespace taskd
