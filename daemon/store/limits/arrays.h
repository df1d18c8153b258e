// Arrays, on the writer thread. The rows of a large array are created in several commits. The first
// commit stores the whole submit; the array is acknowledged, and can be named, once all rows exist.
// After a crash in between, the timer thread creates the rest. If the stored submit cannot be read,
// the array is given up: the missing tasks count as failed.
//
// Used by the writer thread, except find_unfinished().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/write/transaction.h"

namespace taskd {

struct UnfinishedArray {
  TaskId id = 0;
  NewTask task;                   // as submitted
  PreparedSpec spec{TaskSpec()};  // shared by its tasks
  std::optional<WallTime> due_at;
  WallTime created_at;
  std::string unreadable;  // why its tasks cannot be created; "" = they can
};

// Stores the array of `task`, whose spec is `spec`, and creates its first tasks, about `rows` rows.
// Returns the first task.
StoredTask submit_array(Transaction& transaction, std::uint32_t uid, const NewTask& task,
                        const PreparedSpec& spec, std::optional<WallTime> due_at,
                        std::int64_t rows);

// The first incomplete array in the id range. Called on a reader, since it parses a spec.
std::optional<UnfinishedArray> find_unfinished(Connection& db, IdRange ids);
// Creates more of its tasks, for some ten milliseconds. Returns false if the array is complete or
// was given up.
bool make_more(Transaction& transaction, const UnfinishedArray& array);

// How many tasks of incomplete arrays are still to be created in the queue.
std::int64_t count_unexpanded(Connection& db, const std::string& queue);

// An incomplete array that depends on the task. The task may not be removed before that array is
// complete, because the array's remaining tasks need its state.
std::optional<TaskId> unfinished_dependant(Connection& db, TaskId task);

// Counts one more (or less, -1) of the array's tasks in this end. Returns whether that made the
// array ended, or not ended any more.
bool count_end(Connection& db, TaskId array, State end, int change);

// Call after the last task of the array is removed and hooks have been notified about it.
void forget_unused_array(Connection& db, TaskId array);

}  // namespace taskd
