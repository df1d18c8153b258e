// What waits for other tasks, as the writer sees it. When a task ends, those that depend on it are
// unblocked or doomed; when it is tried again, those that it doomed are revived. A command does
// this for some hundred dependants itself and leaves the rest to tell_dependants().
//
// Used by the writer thread alone.
#pragma once

#include <optional>
#include <vector>

#include "daemon/store/transaction.h"

namespace taskd {

// The dependency that names no task which the actor may see.
std::optional<TaskId> find_unknown_dependency(Connection& db, const Actor& actor,
                                              const TaskFlow& flow);

enum class DependencyState { pending, met, broken };
// As the task stands now: pending if any is, else broken if any is.
DependencyState dependencies_of(Connection& db, TaskId task);
// The same for a task that is about to be submitted.
DependencyState dependencies_of(Connection& db, const TaskFlow& flow);
// After the task's own row is there.
void insert_dependencies(Transaction& transaction, const StoredTask& task);

// Whether it was cancelled for what it depended on: by its policy, or since it waited for a failure
// that did not come, or for a task that was not needed itself.
bool is_unneeded(Connection& db, TaskId task);
// The same without its policy: nothing had gone wrong, so there is nothing to try again.
bool was_spared(Connection& db, TaskId task);

// A person has the task run whatever it waited for.
void drop_dependencies(Connection& db, TaskId task);

// A person tries a doomed task again, and something it depends on has not ended, or is revived by
// what the same request tried again before: it waits for that, and no more for what else doomed it.
// False: there is nothing it could wait for.
bool revive_to_wait(Transaction& transaction, StoredTask& task, const Note& note);

// Tells the dependants of all tasks that the transaction ended or put back. To be called at a
// command's end.
void settle_dependencies(Transaction& transaction);
// Goes on with what commands left, for some hundred dependants. False: nothing is left.
bool tell_dependants(Transaction& transaction);
// The same for one of these tasks. False: nothing is left about any of them, so each can be removed
// without a commit that takes long.
bool tell_dependants_of(Transaction& transaction, const std::vector<TaskId>& tasks);
// What else the task is to others: it is about to be removed. About all but a few of its dependants
// tell_dependants() was asked before.
void tell_all_dependants(Transaction& transaction, TaskId task);

}  // namespace taskd
