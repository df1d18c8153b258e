// What waits for other tasks, as the writer sees it: the rows of links (limits/dependency_rules.h says what
// they mean), and the transitions that follow from them.
//
// When a task ends or is tried again, its dependants are looked at in the same transaction: each
// link is judged anew and the dependant moved accordingly. A command does so for some hundred links
// and leaves the rest to update_dependants(): `links_to_update` says for which task and behind
// which dependant. Both ways can be repeated without effect.
//
// Used by the writer thread alone, but for what takes a Connection.
#pragma once

#include <optional>
#include <vector>

#include "daemon/store/write/transaction.h"

namespace taskd {

// The other end of a link as its row has it: a task, or a whole array as its id below zero. Links
// to it are looked at when its last task has ended, or when one of them is tried again.
TaskId upstream_id(const Dependency& dependency);

// The dependency that names no task which the actor may see.
std::optional<TaskId> find_unknown_dependency(Connection& db, const Actor& actor,
                                              const std::vector<Dependency>& depends_on);
// In the order in which they were named.
std::vector<Dependency> load_dependencies(Connection& db, TaskId task);
bool has_dependencies(Connection& db, TaskId task);
std::int64_t count_links(Connection& db, TaskId task);
// A commit removes tasks with no more links together, if they are several: the rows of the links go
// with them, which takes longer than the tasks themselves.
inline constexpr std::int64_t kLinksAtOnce = 5000;

// Whether a link of the task is not met.
bool has_open_links(Connection& db, TaskId task);
// The same for a task that is about to be submitted.
bool has_open_links(Connection& db, const std::vector<Dependency>& depends_on,
                    OnDependencyFailed policy);
// After the task's own row is there.
void insert_dependencies(Transaction& transaction, TaskId task, const PreparedSpec& spec);

// Whether it was cancelled because of its links: by its policy, or since what it waited for did not
// happen.
bool is_skipped(Connection& db, TaskId task);
// The same without its policy: nothing had gone wrong, so there is nothing to try again.
bool was_skipped(Connection& db, TaskId task);

// A person has the task run whatever it waited for.
void waive_dependencies(Connection& db, TaskId task);
// A person tries a task again that ended because of its links, and one of these waits again, maybe
// since the same request tried its upstream again before: the task is blocked on that, and does
// without those that are broken. False: there is nothing it could wait for.
bool reopen_to_wait(Transaction& transaction, StoredTask& task, const Note& note);

// Looks at the dependants of all tasks that the transaction ended or put back. To be called at a
// command's end.
void propagate_dependencies(Transaction& transaction);
// Goes on with what commands left, for some hundred links; upstreams take turns, `latest` is the
// one of the turn before. False: nothing is left.
bool update_dependants(Transaction& transaction, TaskId& latest);
// The same for one of these tasks. False: nothing is left about any of them.
bool update_dependants_of(Transaction& transaction, const std::vector<TaskId>& tasks);

}  // namespace taskd
