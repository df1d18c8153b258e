// The one thread that acts on the calendar: it moves due tasks into their line (the promoter),
// fires the schedules (ScheduleRunner), and deletes ended tasks whose keep time is over (the pruner).
// Sleeps until the nearest such moment; a jump of the wall clock wakes it, and nothing fires
// twice since firing changes the state. When it first has nothing to do, it looks for files that
// belong to no task (OrphanSweep).
//
// Threading: start() and stop() from one thread; publish() from the store's writer.
#pragma once

#include <functional>
#include <limits>
#include <span>
#include <string>
#include <thread>

#include "daemon/base/clock.h"
#include "daemon/base/event_fd.h"
#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"
#include "daemon/engine/orphan_sweep.h"
#include "daemon/engine/schedule_runner.h"
#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"

namespace taskd {

class TimerThread {
 public:
  // What is too old goes by `age_clock` (base/trusted_clock.h). `on_fatal` is told of an exception
  // it cannot go on after; it must not return.
  TimerThread(TaskStore& store, Launcher& launcher, const Clock& clock, const Clock& age_clock,
             const Handlers& handlers,
             std::function<void(const std::string&)> on_fatal);
  ~TimerThread();

  void start();
  void stop();

  // Wakes the thread when a change brings its next moment forward.
  void publish(std::span<const Change> changes);

  // One round, without the thread: a batch of each work that is due, so that neither holds up the
  // other. Returns the next moment, if any; one that is not in the future means: go on at once.
  std::optional<WallTime> run_once();

 private:
  void run();
  void wait(std::optional<WallTime> next);

  TaskStore& store_;
  Launcher& launcher_;
  const Clock& clock_;
  const Clock& age_clock_;
  const std::function<void(const std::string&)> on_fatal_;
  UniqueFd timer_;  // CLOCK_REALTIME
  EventFd wake_;
  ScheduleRunner schedule_runner_;
  OrphanSweep sweep_;
  Mutex mutex_;
  bool stopping_ TASKD_GUARDED_BY(mutex_) = false;
  // The thread wakes at this moment by itself; only an earlier one needs a nudge. While a round is
  // running it is the far future, so that nothing published meanwhile is missed.
  WallTime armed_ TASKD_GUARDED_BY(mutex_) = {std::numeric_limits<std::int64_t>::max()};
  std::thread thread_;
};

}  // namespace taskd
