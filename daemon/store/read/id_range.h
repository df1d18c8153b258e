// Converts times to ids. Ids grow with submit times, except where the clock was set back
// (clock_steps), so submit times are found by binary search; end times by an index.
#pragma once

#include "daemon/store/db/connection.h"
#include "daemon/store/task_store.h"

namespace taskd {

// The narrowest range found that contains every task within the filter's times; first > last: none.
// An end time costs one index entry per matching task.
IdRange range_of(Connection& db, const Filter& filter);

// Call before storing a task created now. Records a clock step if the previous task has a later
// time.
void note_clock_step(Connection& db, TaskId task, WallTime created_at);
// Deletes steps that no longer have tasks before them.
void forget_clock_steps(Connection& db);

}  // namespace taskd
