// Arrays, as the writer sees them: of a large one the first tasks are made with the submit,
// the others after it, some hundred a commit.
//
// Used by the writer thread alone.
#pragma once

#include "daemon/store/transaction.h"

namespace taskd {

// Makes the first tasks of `task.array`, with their dependencies about so many `rows`, and sets
// the ids of the others aside. Returns the first.
StoredTask submit_array(Transaction& transaction, std::uint32_t uid, const NewTask& task,
                        std::optional<WallTime> due_at, std::int64_t rows);

// Arrays take turns, in rounds of those that there were when the round began: so neither a huge one
// holds up the others, nor many that come one after the other hold up an older one.
struct ArrayTurns {
  TaskId latest = 0;     // was made more of
  TaskId round_end = 0;  // the last of this round
};
// Makes some more tasks of the next array. False: all are complete.
bool expand_arrays(Transaction& transaction, ArrayTurns& turns);

// What of an array has not been made.
struct Unmade {
  StoredTask task;  // as each of them would be, but for its id and index
  std::int64_t count = 0;
};
std::vector<Unmade> unmade_arrays(Connection& db);
bool has_unmade(Connection& db);
// As a hold, a release and a move do with tasks: it is what the rest will be.
void hold_unmade(Connection& db, TaskId array, bool hold);
void move_unmade(Connection& db, TaskId array, const std::string& queue);
// How many tasks these will be in the queue.
std::int64_t count_unmade(Connection& db, const std::string& queue);

// `task` is about to be removed: what it was to the tasks that are not made yet, they will not be
// able to ask any more.
void settle_unmade(Connection& db, TaskId task);

// Whatever of the array has not been made is not made any more.
void end_array(Connection& db, TaskId array);

}  // namespace taskd
