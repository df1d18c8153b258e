// Times as ids. Ids follow the times of submits, but where the clock was put back (clock_steps), so
// a time of submits is found by halving; a time of ends by an index.
#pragma once

#include "daemon/store/db/connection.h"
#include "daemon/store/task_store.h"

namespace taskd {

// Every task that the filter's times match is in it. first > last: there is none. Looking up the
// time of an end costs a look at each that matches, in the index alone.
IdRange range_of(Connection& db, const Filter& filter);

// A task is about to be stored, with a time of now: remembers it if the one before it is later.
void note_clock_step(Connection& db, TaskId task, WallTime created_at);
// Those that say nothing any more, since there are no tasks before them.
void forget_clock_steps(Connection& db);

}  // namespace taskd
