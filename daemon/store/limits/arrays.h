// Arrays, as the writer sees them. The rows of a large one are made in several commits, the first
// of which stores what is to be made; the array is acknowledged, and can be named, once it is
// whole. After a crash between two of these commits the timer thread makes the rest. Where that
// cannot be read, the array is given up: the tasks that were not made count as failed.
//
// Used by the writer thread, but for find_unfinished().
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/write/transaction.h"

namespace taskd {

struct UnfinishedArray {
  TaskId id = 0;
  NewTask task;                   // as it was submitted
  PreparedSpec spec{TaskSpec()};  // shared by its tasks
  std::optional<WallTime> due_at;
  WallTime created_at;
  std::string unreadable;  // why its tasks cannot be made; "": they can
};

// Stores the array of `task`, whose spec is `spec`, and makes its first tasks, which are about
// `rows` rows. Returns the first task.
StoredTask submit_array(Transaction& transaction, std::uint32_t uid, const NewTask& task,
                        const PreparedSpec& spec, std::optional<WallTime> due_at,
                        std::int64_t rows);

// The first array in the range of ids that is not whole. For a reader, since it parses a spec.
std::optional<UnfinishedArray> find_unfinished(Connection& db, IdRange ids);
// Makes some more of its tasks, in some ten milliseconds. False: it is whole, or was given up.
bool make_more(Transaction& transaction, const UnfinishedArray& array);

// How many tasks are still to be made in the queue.
std::int64_t count_unexpanded(Connection& db, const std::string& queue);

// An unfinished array that depends on the task, which may not be removed before it is whole: what
// it was to the array, the tasks that are still to be made could not ask any more.
std::optional<TaskId> unfinished_dependant(Connection& db, TaskId task);

// Counts one more (or less, -1) of its tasks in this end. Whether by that all have ended, or not
// all any more.
bool count_end(Connection& db, TaskId array, State end, int change);

// After the last of its tasks is removed, and once hooks have been told of it.
void forget_unused_array(Connection& db, TaskId array);

}  // namespace taskd
