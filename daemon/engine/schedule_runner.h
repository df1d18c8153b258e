// Fires schedules: submits one task for each slot of a schedule's rule, at most once ever.
//
// The rule alone determines the slots (schedule/slots.h), and the store records which were handled.
// So a restart, a delay or a clock jump never fires a slot twice. Used by the timer thread
// alone.
#pragma once

#include <optional>

#include "daemon/base/clock.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

class ScheduleRunner {
 public:
  // `handlers` must outlive this object. If the daemon accepts only handlers, slots with a command
  // are refused. A schedule is paused if the uid of its owner, or of the user it runs as, has been
  // given to somebody else.
  ScheduleRunner(TaskStore& store, const Handlers& handlers) : store_(store), handlers_(handlers) {}

  // Handles a batch of due schedules. Returns when to call again, if ever; a time that is not in
  // the future means at once. Throws what the store throws.
  std::optional<WallTime> run_once(WallTime now);

 private:
  void look_at(const Schedule& schedule, WallTime now);
  bool check_users(const Schedule& schedule, WallTime now, Firing& firing);

  TaskStore& store_;
  const Handlers& handlers_;
  std::optional<WallTime> latest_;  // the latest time it looked
};

}  // namespace taskd
