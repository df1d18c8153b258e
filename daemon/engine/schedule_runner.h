// Fires the schedules: at each slot of a schedule's rule a task is submitted, at most once ever.
//
// What a slot is comes from the rule alone (schedule/slots.h), what was done about it from the
// store; so neither a restart, nor a late look, nor a jump of the clock fires one twice. Used by
// the timer thread alone.
#pragma once

#include <optional>

#include "daemon/base/clock.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

class ScheduleRunner {
 public:
  // `handlers` outlives it. Where the daemon takes handlers alone, a slot of a command is refused.
  // A schedule whose owner, or the user it runs as, is somebody else by now is paused.
  ScheduleRunner(TaskStore& store, const Handlers& handlers) : store_(store), handlers_(handlers) {}

  // Deals with what is due, a batch of it. Returns when to come again, if ever; a moment that is
  // not in the future means: at once. Throws what the store throws.
  std::optional<WallTime> run_once(WallTime now);

 private:
  void look_at(const Schedule& schedule, WallTime now);
  bool check_users(const Schedule& schedule, WallTime now, Firing& firing);

  TaskStore& store_;
  const Handlers& handlers_;
  std::optional<WallTime> latest_;  // when it last looked
};

}  // namespace taskd
