// Collects the progress reports of running jobs for the store, and watches that jobs report in
// time. However often jobs report, there is at most one commit per second, which holds each job's
// latest report. Reports not written yet are lost if the daemon dies.
//
// Thread-safe. Writes on a thread of its own, which sleeps while nobody reports. The store and the
// clock must outlive it.
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
  // `on_fatal` is called with an exception that leaves no way to continue; it must not return.
  ProgressBoard(TaskStore& store, const Clock& clock,
                std::function<void(const std::string&)> on_fatal);
  ~ProgressBoard();

  void start();
  // Writes the pending reports.
  void stop();

  // Returns false if the attempt is not running or the token is wrong.
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

// Remembers when a task last reported, for the lifetime of this object: one per task. Its start
// counts as a report.
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
