// Dependencies, on the writer thread: the rows of links (limits/dependency_rules.h has the rules),
// and the transitions that follow from them.
//
// When a task ends or is retried, its dependants are updated in the same transaction: each link is
// judged again and the dependant moved accordingly. A command handles some hundred links and leaves
// the rest to update_dependants(). The table `links_to_update` records for which task, and after
// which dependant, to continue. Both steps are idempotent.
//
// Used by the writer thread alone, except functions that take a Connection.
#pragma once

#include <optional>
#include <vector>

#include "daemon/store/write/transaction.h"

namespace taskd {

// The upstream of a link as stored in its row: a task's id, or the negated id of an array. Links to
// an array are judged when its last task has ended, or when one of them is retried.
TaskId upstream_id(const Dependency& dependency);

// The first dependency whose task does not exist or is hidden from the actor.
std::optional<TaskId> find_unknown_dependency(Connection& db, const Actor& actor,
                                              const std::vector<Dependency>& depends_on);
// In the order in which they were named.
std::vector<Dependency> load_dependencies(Connection& db, TaskId task);
bool has_dependencies(Connection& db, TaskId task);
std::int64_t count_links(Connection& db, TaskId task);
// A commit removes several tasks only if they have no more links than this. Deleting the links
// takes longer than deleting the tasks.
inline constexpr std::int64_t kLinksAtOnce = 5000;

// Whether a link of the task is not met.
bool has_open_links(Connection& db, TaskId task);
// The same for a task that is about to be submitted.
bool has_open_links(Connection& db, const std::vector<Dependency>& depends_on,
                    OnDependencyFailed policy);
// Call after the task's own row exists.
void insert_dependencies(Transaction& transaction, TaskId task, const PreparedSpec& spec);

// Whether it was cancelled because of its links: by its policy, or because what it waited for did
// not happen.
bool is_skipped(Connection& db, TaskId task);
// Like is_skipped(), but not by its policy: nothing had failed, so there is nothing to retry.
bool was_skipped(Connection& db, TaskId task);

// A person lets the task run whatever it waited for.
void waive_dependencies(Connection& db, TaskId task);
// For a person's retry of a task that ended because of its links. If one of these is pending again
// (maybe because the same request retried its upstream), blocks the task on it and waives the
// broken ones. Returns false if it has nothing to wait for.
bool reopen_to_wait(Transaction& transaction, StoredTask& task, const Note& note);

// Updates the dependants of all tasks that the transaction ended or put back. Call at the end of a
// command.
void propagate_dependencies(Transaction& transaction);
// Continues with the updates that commands left, for some hundred links. Upstreams take turns;
// `latest` is the one of the turn before. Returns false if nothing is left.
bool update_dependants(Transaction& transaction, TaskId& latest);
// The same for the given tasks. Returns false if none of them has updates left.
bool update_dependants_of(Transaction& transaction, const std::vector<TaskId>& tasks);

}  // namespace taskd
