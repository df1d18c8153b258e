// The one thread that acts on the calendar: it queues due tasks (the promoter), fires schedules
// (ScheduleRunner), and deletes ended tasks whose keep time is over (the pruner). It sleeps until
// the next such moment. A jump of the wall clock wakes it; nothing fires twice, because firing
// changes the state. When first idle, it looks for files that belong to no task (OrphanSweep).
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
  // `age_clock` decides what is too old (base/trusted_clock.h). `on_fatal` is called with an
  // exception that leaves no way to continue; it must not return.
  TimerThread(TaskStore& store, Launcher& launcher, const Clock& clock, const Clock& age_clock,
             const Handlers& handlers, std::function<void(const std::string&)> on_fatal);
  ~TimerThread();

  void start();
  void stop();

  // Wakes the thread if a change makes its next moment earlier.
  void publish(std::span<const Change> changes);

  // One round, without the thread: a batch of each kind of due work, so that none delays the
  // others. Returns the next moment, if any; one that is not in the future means to continue at
  // once.
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
  // When the thread will wake by itself; only an earlier moment needs a wake-up. During a round it
  // is in the far future, so that every change published meanwhile counts as earlier.
  WallTime armed_ TASKD_GUARDED_BY(mutex_) = {std::numeric_limits<std::int64_t>::max()};
  std::thread thread_;
};

}  // namespace taskd
