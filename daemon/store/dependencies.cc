#include "daemon/store/dependencies.h"

#include <stdexcept>

#include "daemon/store/arrays.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr int kAtOnce = Transaction::kDependantsAtOnce;

struct Link {
  TaskId dependant;
  DependencyOn on;
};

std::string_view to_string(DependencyState state) {
  switch (state) {
    case DependencyState::pending:
      return "pending";
    case DependencyState::met:
      return "met";
    case DependencyState::broken:
      return "broken";
  }
  return "";
}

std::optional<State> state_of(Connection& db, TaskId id) {
  Query row = db.query("SELECT state FROM tasks WHERE id = ?1");
  if (!row.bind(id).step()) return std::nullopt;
  return row.state(0);
}

bool has_broken(Connection& db, TaskId task) {
  Query row =
      db.query("SELECT 1 FROM dependencies WHERE task_id = ?1 AND state = 'broken' LIMIT 1");
  return row.bind(task).step();
}

// A task on which others depend.
struct Other {
  std::optional<State> state;  // empty: it is gone
  bool unneeded = false;       // as is_unneeded() says
};
Other look_at(Connection& db, TaskId id) {
  const auto state = state_of(db, id);
  return {state, state == State::cancelled && has_broken(db, id)};
}

// What the other task means for one that depends on it. One that is gone had ended.
DependencyState judge(const Other& other, DependencyOn on, OnDependencyFailed policy) {
  if (other.state && !is_end(*other.state)) return DependencyState::pending;
  const bool ok = other.state == State::succeeded;
  const bool met =
      on == DependencyOn::any || (on == DependencyOn::ok ? ok : !ok && !other.unneeded);
  return met || policy == OnDependencyFailed::run ? DependencyState::met : DependencyState::broken;
}

DependencyState worse(DependencyState a, DependencyState b) {
  if (a == DependencyState::pending || b == DependencyState::pending) {
    return DependencyState::pending;
  }
  return a == DependencyState::broken ? a : b;
}

void set_state(Connection& db, TaskId task, TaskId on, DependencyState state) {
  db.run("UPDATE dependencies SET state = ?3 WHERE task_id = ?1 AND on_task = ?2", task, on,
         to_string(state));
}

std::vector<Link> pending_links(Connection& db, TaskId on, int limit) {
  Query rows = db.query(
      "SELECT task_id, on_end FROM dependencies INDEXED BY dependencies_pending"
      " WHERE on_task = ?1 AND state = 'pending' ORDER BY task_id LIMIT ?2");
  rows.bind(on, limit);
  std::vector<Link> links;
  while (rows.step()) links.push_back({rows.int64(0), rows.word(1, parse_dependency_on)});
  return links;
}

// Those that an earlier end broke, and this one does not.
std::vector<TaskId> mended_dependants(Connection& db, TaskId on, State end, int limit) {
  Query rows = db.query(
      "SELECT task_id FROM dependencies INDEXED BY dependencies_broken"
      " WHERE on_task = ?1 AND state = 'broken' AND on_end = ?2 ORDER BY task_id LIMIT ?3");
  rows.bind(on, to_string(end == State::succeeded ? DependencyOn::ok : DependencyOn::failed),
            limit);
  std::vector<TaskId> tasks;
  while (rows.step()) tasks.push_back(rows.int64(0));
  return tasks;
}

std::vector<TaskId> broken_dependants(Connection& db, TaskId on, int limit) {
  Query rows = db.query(
      "SELECT task_id FROM dependencies INDEXED BY dependencies_broken"
      " WHERE on_task = ?1 AND state = 'broken' ORDER BY task_id LIMIT ?2");
  rows.bind(on, limit);
  std::vector<TaskId> tasks;
  while (rows.step()) tasks.push_back(rows.int64(0));
  return tasks;
}

std::vector<TaskId> broken_dependencies(Connection& db, TaskId task) {
  Query rows = db.query("SELECT on_task FROM dependencies WHERE task_id = ?1 AND state = 'broken'");
  rows.bind(task);
  std::vector<TaskId> all;
  while (rows.step()) all.push_back(rows.int64(0));
  return all;
}

Note note_of(std::string_view type, TaskId on) {
  return {.type = type, .detail = "dependency=" + std::to_string(on)};
}

void unblock(Transaction& transaction, StoredTask& task, TaskId on) {
  const bool later = task.row.due_at && *task.row.due_at > transaction.now();
  transaction.transition(task, later ? Event::unblocked_later : Event::unblocked, task.row,
                         note_of("unblocked", on));
}

// Something that it needed has gone wrong; else only what it was there for has not come.
bool lacks_a_success(Connection& db, TaskId task) {
  Query rows = db.query(
      "SELECT on_task FROM dependencies WHERE task_id = ?1 AND on_end = 'ok' AND state <> 'met'");
  rows.bind(task);
  while (rows.step()) {
    const Other other = look_at(db, rows.int64(0));
    const bool ended = !other.state || is_end(*other.state);
    if (ended && other.state != State::succeeded && !other.unneeded) return true;
  }
  return false;
}

void doom(Transaction& transaction, StoredTask& task, TaskId on) {
  TaskRow after = task.row;
  end_row(after, task, transaction.now(), transaction.now());
  const bool cancels = task.spec.flow.on_dependency_failed == OnDependencyFailed::cancel ||
                       !lacks_a_success(transaction.db(), task.id);
  if (!cancels) after.reason = Reason::dependency;
  transaction.transition(task, cancels ? Event::cancel : Event::doomed, after,
                         note_of(cancels ? "cancelled" : "doomed", on));
}

// Ended by a dependency, and by nothing else.
bool is_doomed(Connection& db, const StoredTask& task) {
  if (task.row.state == State::failed) return task.row.reason == Reason::dependency;
  return task.row.state == State::cancelled && has_broken(db, task.id);
}

void tell_of_end(Transaction& transaction, TaskId on, const Other& other, const Link& link) {
  Connection& db = transaction.db();
  StoredTask task = must_load(db, link.dependant);
  DependencyState state = judge(other, link.on, task.spec.flow.on_dependency_failed);
  const bool waits =
      task.row.blocked_on == BlockedOn::dependencies || task.row.state == State::held;
  // What ended otherwise, or was put back by a person, does not wait for it any more.
  if (!waits && !is_doomed(db, task)) state = DependencyState::met;
  set_state(db, task.id, on, state);
  if (!waits) return;
  if (state == DependencyState::broken) return doom(transaction, task, on);
  if (task.row.state == State::held || dependencies_of(db, task.id) != DependencyState::met) return;
  unblock(transaction, task, on);
}

void revive(Transaction& transaction, StoredTask& task, const Note& note) {
  TaskRow after = task.row;
  after.reason = std::nullopt;
  after.ended_at = std::nullopt;
  after.prune_at = std::nullopt;
  after.blocked_on = BlockedOn::dependencies;
  transaction.transition(task, Event::revive, after, note);
}

void tell_of_retry(Transaction& transaction, TaskId on, TaskId dependant) {
  Connection& db = transaction.db();
  StoredTask task = must_load(db, dependant);
  const bool doomed = is_doomed(db, task);
  set_state(db, task.id, on, DependencyState::pending);
  if (!doomed || has_broken(db, task.id)) return;
  // Another has come in its place meanwhile.
  if (find_twin(db, task.id, task.uid, task.spec.flow.unique.key)) return;
  revive(transaction, task, note_of("revived", on));
}

bool has_dependants(Connection& db, TaskId on) {
  return !pending_links(db, on, 1).empty() || !broken_dependants(db, on, 1).empty();
}

void leave_for_later(Transaction& transaction, TaskId on) {
  transaction.db().run("INSERT OR IGNORE INTO dependants_to_tell (on_task) VALUES (?1)", on);
  transaction.add_wake(transaction.now());
}

// Tells up to `limit` dependants; how many.
int tell(Transaction& transaction, TaskId on, int limit) {
  Connection& db = transaction.db();
  const Other other = look_at(db, on);
  int told = 0;
  if (!other.state || is_end(*other.state)) {
    // It was tried again, and ended before all that it had doomed were told.
    if (other.state) {
      for (const TaskId dependant : mended_dependants(db, on, *other.state, limit)) {
        tell_of_retry(transaction, on, dependant);
        ++told;
      }
    }
    for (const Link& link : pending_links(db, on, limit - told)) {
      tell_of_end(transaction, on, other, link);
      ++told;
    }
  } else {
    for (const TaskId dependant : broken_dependants(db, on, limit)) {
      tell_of_retry(transaction, on, dependant);
      ++told;
    }
  }
  return told;
}

bool is_to_tell(Connection& db, TaskId on) {
  Query row = db.query("SELECT 1 FROM dependants_to_tell WHERE on_task = ?1");
  return row.bind(on).step();
}

// Some hundred of those that a command left.
void tell_rest(Transaction& transaction, TaskId on) {
  if (tell(transaction, on, kAtOnce) < kAtOnce) {
    transaction.db().run("DELETE FROM dependants_to_tell WHERE on_task = ?1", on);
  }
  settle_dependencies(transaction);
}

}  // namespace

bool is_unneeded(Connection& db, TaskId task) {
  return state_of(db, task) == State::cancelled && has_broken(db, task);
}

bool was_spared(Connection& db, TaskId task) {
  if (state_of(db, task) != State::cancelled) return false;
  Query rows =
      db.query("SELECT on_task, on_end FROM dependencies WHERE task_id = ?1 AND state = 'broken'");
  rows.bind(task);
  while (rows.step()) {
    if (rows.word(1, parse_dependency_on) == DependencyOn::failed) return true;
    if (is_unneeded(db, rows.int64(0))) return true;
  }
  return false;
}

std::optional<TaskId> find_unknown_dependency(Connection& db, const Actor& actor,
                                              const TaskFlow& flow) {
  for (const Dependency& dependency : flow.depends_on) {
    Query row = db.query("SELECT uid FROM tasks WHERE id = ?1");
    const bool visible =
        row.bind(dependency.task).step() && (actor.admin || row.uid(0) == actor.uid);
    if (!visible) return dependency.task;
  }
  return std::nullopt;
}

DependencyState dependencies_of(Connection& db, TaskId task) {
  Query rows = db.query("SELECT state FROM dependencies WHERE task_id = ?1 AND state <> 'met'");
  rows.bind(task);
  DependencyState all = DependencyState::met;
  while (rows.step()) {
    if (rows.text(0) == "pending") return DependencyState::pending;
    all = DependencyState::broken;
  }
  return all;
}

DependencyState dependencies_of(Connection& db, const TaskFlow& flow) {
  DependencyState all = DependencyState::met;
  for (const Dependency& dependency : flow.depends_on) {
    all = worse(all, judge(look_at(db, dependency.task), dependency.on, flow.on_dependency_failed));
  }
  return all;
}

void insert_dependencies(Transaction& transaction, const StoredTask& task) {
  Connection& db = transaction.db();
  const TaskFlow& flow = task.spec.flow;
  for (const Dependency& dependency : flow.depends_on) {
    DependencyState state =
        judge(look_at(db, dependency.task), dependency.on, flow.on_dependency_failed);
    if (state == DependencyState::broken) {
      // Told with the command's end, as if the other task had ended just now.
      state = DependencyState::pending;
      transaction.add_moved(dependency.task);
    }
    db.run("INSERT INTO dependencies (task_id, on_task, on_end, state) VALUES (?1, ?2, ?3, ?4)",
           task.id, dependency.task, taskd::to_string(dependency.on), to_string(state));
  }
}

void drop_dependencies(Connection& db, TaskId task) {
  db.run("UPDATE dependencies SET state = 'met' WHERE task_id = ?1 AND state <> 'met'", task);
}

bool revive_to_wait(Transaction& transaction, StoredTask& task, const Note& note) {
  Connection& db = transaction.db();
  if (!is_doomed(db, task)) return false;
  // What the same request tried again before it may revive what it depends on, or itself.
  settle_dependencies(transaction);
  task = must_load(db, task.id);
  if (!is_end(task.row.state)) return true;
  bool waits = false;
  for (const TaskId on : broken_dependencies(db, task.id)) {
    const auto state = state_of(db, on);
    const bool goes_on = state && !is_end(*state);
    set_state(db, task.id, on, goes_on ? DependencyState::pending : DependencyState::met);
    waits |= goes_on;
  }
  waits |= dependencies_of(db, task.id) == DependencyState::pending;
  if (waits) revive(transaction, task, note);
  return waits;
}

void settle_dependencies(Transaction& transaction) {
  int& left = transaction.dependants_left();
  for (;;) {
    const std::vector<TaskId> moved = transaction.take_moved();
    if (moved.empty()) return;
    for (const TaskId on : moved) {
      if (left > 0) left -= tell(transaction, on, left);
      if (left == 0 && has_dependants(transaction.db(), on)) leave_for_later(transaction, on);
    }
  }
}

bool tell_dependants(Transaction& transaction) {
  std::optional<TaskId> on;
  {
    Query row = transaction.db().query("SELECT on_task FROM dependants_to_tell LIMIT 1");
    if (row.step()) on = row.int64(0);
  }
  if (on) tell_rest(transaction, *on);
  return on.has_value();
}

bool tell_dependants_of(Transaction& transaction, const std::vector<TaskId>& tasks) {
  for (const TaskId on : tasks) {
    if (!is_to_tell(transaction.db(), on)) continue;
    tell_rest(transaction, on);
    return true;
  }
  return false;
}

void tell_all_dependants(Transaction& transaction, TaskId task) {
  settle_unmade(transaction.db(), task);
  while (tell(transaction, task, kAtOnce) == kAtOnce) {
  }
  transaction.db().run("DELETE FROM dependants_to_tell WHERE on_task = ?1", task);
}

}  // namespace taskd
