#include "daemon/store/limits/dependencies.h"

#include <algorithm>
#include <cstdlib>
#include <limits>

#include "daemon/limits/dependency_rules.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

// In units of Transaction::link_work_left(). A transition costs some ten times as much as a
// judgement.
constexpr int kLookCost = 10;
constexpr int kJudgeCost = 1;

struct Link {
  TaskId task;
  TaskId upstream;
  DependencyOn on;
  LinkState state;
};

std::string_view to_string(LinkState state) {
  switch (state) {
    case LinkState::pending:
      return "pending";
    case LinkState::met:
      return "met";
    case LinkState::failed:
      return "failed";
    case LinkState::skipped:
      return "skipped";
  }
  return "";
}

std::optional<LinkState> parse_link_state(std::string_view text) {
  for (const LinkState state : kAllLinkStates) {
    if (text == to_string(state)) return state;
  }
  return std::nullopt;
}

std::vector<Link> read_links(Query& rows) {
  std::vector<Link> links;
  while (rows.step()) {
    links.push_back({rows.int64(0), rows.int64(1),
                     rows.word(2, parse_dependency_on, DependencyOn::ok),
                     rows.word(3, parse_link_state, LinkState::pending)});
  }
  return links;
}

// Of the dependants after `after`, oldest first.
std::vector<Link> open_links_on(Connection& db, TaskId upstream, TaskId after, int limit) {
  Query rows = db.query(
      "SELECT task_id, on_task, on_end, state FROM dependencies INDEXED BY dependencies_open_on"
      " WHERE on_task = ?1 AND task_id > ?2 AND state <> 'met' ORDER BY task_id LIMIT ?3");
  rows.bind(upstream, after, limit);
  return read_links(rows);
}

std::vector<Link> open_links_of(Connection& db, TaskId task) {
  Query rows = db.query(
      "SELECT task_id, on_task, on_end, state FROM dependencies INDEXED BY dependencies_open"
      " WHERE task_id = ?1 AND state <> 'met'");
  rows.bind(task);
  return read_links(rows);
}

bool has_link(Connection& db, TaskId task, LinkState state) {
  Query row = db.query(
      "SELECT 1 FROM dependencies INDEXED BY dependencies_open"
      " WHERE task_id = ?1 AND state = ?2 AND state <> 'met' LIMIT 1");
  return row.bind(task, to_string(state)).step();
}

// As last judged.
Links links_of(Connection& db, TaskId task) {
  Links links;
  for (const LinkState state : {LinkState::pending, LinkState::failed, LinkState::skipped}) {
    if (has_link(db, task, state)) links.add(state);
  }
  return links;
}

bool has_broken_link(Connection& db, TaskId task) {
  return has_link(db, task, LinkState::failed) || has_link(db, task, LinkState::skipped);
}

// A whole array: it counts how its tasks ended, including removed ones.
Upstream look_at_array(Connection& db, TaskId id) {
  Query row = db.query("SELECT count, ended, succeeded, failed FROM arrays WHERE id = ?1");
  if (!row.bind(id).step()) return Upstream::removed;
  const std::int64_t count = row.int64(0);
  if (row.int64(1) < count) return Upstream::active;
  if (row.int64(2) == count) return Upstream::succeeded;
  if (row.int64(2) > 0 || row.int64(3) > 0) return Upstream::failed;
  // All tasks were cancelled. They have the same links, so any of them tells whether its links were
  // the reason.
  Query newest = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_of_array WHERE array_id = ?1 ORDER BY id DESC LIMIT "
      "1");
  const bool skipped = newest.bind(id).step() && has_broken_link(db, newest.int64(0));
  return skipped ? Upstream::skipped : Upstream::failed;
}

Upstream look_at_upstream(Connection& db, TaskId id) {
  if (id < 0) return look_at_array(db, -id);
  Query row = db.query("SELECT state FROM tasks WHERE id = ?1");
  if (!row.bind(id).step()) return Upstream::removed;
  const State state = row.state(0);
  return upstream_of(state, state == State::cancelled && has_broken_link(db, id));
}

// The columns of a dependant that decide; its spec may be large.
struct Dependant {
  Standing standing = Standing::free;
  OnDependencyFailed policy = OnDependencyFailed::fail;
};
Dependant look_at(Connection& db, TaskId task) {
  Query row = db.query("SELECT state, blocked_on, on_dependency_failed FROM tasks WHERE id = ?1");
  if (!row.bind(task).step()) return {};
  const State state = row.state(0);
  const bool waits = !row.is_null(1) && row.text(1) == "dependencies";
  Dependant dependant;
  dependant.standing = standing_of(state, waits, is_end(state) && has_broken_link(db, task));
  if (!row.is_null(2)) dependant.policy = row.word(2, parse_on_dependency_failed, dependant.policy);
  return dependant;
}

void set_state(Connection& db, Link& link, LinkState state) {
  if (state == link.state) return;
  db.run("UPDATE dependencies SET state = ?3 WHERE task_id = ?1 AND on_task = ?2", link.task,
         link.upstream, to_string(state));
  link.state = state;
}

// Judges all open links again, so that the result does not depend on the order of several ends in
// one transaction.
Links judge_all(Transaction& transaction, TaskId task, const Dependant& dependant) {
  Connection& db = transaction.db();
  Links links;
  for (Link& link : open_links_of(db, task)) {
    const Upstream upstream = look_at_upstream(db, link.upstream);
    set_state(db, link, judge(link.state, upstream, link.on, dependant.policy, dependant.standing));
    links.add(link.state);
    transaction.link_work_left() -= kJudgeCost;
  }
  return links;
}

Note note_of(std::string_view type, TaskId upstream) {
  const std::string id =
      upstream < 0 ? "array " + std::to_string(-upstream) : std::to_string(upstream);
  return {.type = type, .detail = "dependency=" + id};
}

void start(Transaction& transaction, StoredTask& task, const Note& note) {
  const bool later = task.row.due_at && *task.row.due_at > transaction.now();
  transaction.transition(task, later ? Event::unblocked_later : Event::unblocked, task.row, note);
}

void end(Transaction& transaction, StoredTask& task, Event event, const Note& note) {
  TaskRow after = task.row;
  end_row(after, task, transaction.now(), transaction.now());
  if (event == Event::dependency_failed) after.reason = Reason::dependency;
  transaction.transition(task, event, after, note);
}

void reopen(Transaction& transaction, StoredTask& task, const Note& note) {
  TaskRow after = task.row;
  after.reason = std::nullopt;
  after.ended_at = std::nullopt;
  after.prune_at = std::nullopt;
  after.blocked_on = BlockedOn::dependencies;
  transaction.transition(task, Event::reopen, after, note);
}

// Returns false if it cannot be done yet.
bool apply(Transaction& transaction, TaskId id, Verdict verdict, TaskId upstream) {
  if (verdict == Verdict::stay) return true;
  StoredTask task = must_load(transaction.db(), id);
  switch (verdict) {
    case Verdict::stay:
      break;
    case Verdict::start:
      start(transaction, task, note_of("unblocked", upstream));
      break;
    case Verdict::fail:
      end(transaction, task, Event::dependency_failed, note_of("dependency_failed", upstream));
      break;
    case Verdict::skip:
      end(transaction, task, Event::cancel, note_of("cancelled", upstream));
      break;
    case Verdict::reopen:
      // Another task with its unique key has appeared meanwhile.
      if (find_active_duplicate(transaction.db(), id, task.uid, task.unique_key)) return false;
      reopen(transaction, task, note_of("reopened", upstream));
      break;
  }
  return true;
}

// Updates a dependant after the upstream of this link has changed.
void update_dependant(Transaction& transaction, Link link, Upstream upstream) {
  Connection& db = transaction.db();
  Dependant dependant = look_at(db, link.task);
  const LinkState was = link.state;
  set_state(db, link, judge(was, upstream, link.on, dependant.policy, dependant.standing));
  Links links = links_of(db, link.task);
  for (;;) {
    // Usually nothing follows yet. Then the cost does not depend on the number of links.
    if (decide(dependant.standing, links, dependant.policy) == Verdict::stay) return;
    if (links.pending) links = judge_all(transaction, link.task, dependant);
    const Verdict verdict = decide(dependant.standing, links, dependant.policy);
    if (!apply(transaction, link.task, verdict, link.upstream)) return set_state(db, link, was);
    if (verdict != Verdict::reopen) return;
    dependant = look_at(db, link.task);
  }
}

// Returns the last dependant it handled if there may be more.
std::optional<TaskId> walk(Transaction& transaction, TaskId upstream, TaskId after) {
  Connection& db = transaction.db();
  int& left = transaction.link_work_left();
  const Upstream now = look_at_upstream(db, upstream);
  while (left > 0) {
    const int limit = (left + kLookCost - 1) / kLookCost;
    const std::vector<Link> links = open_links_on(db, upstream, after, limit);
    for (const Link& link : links) {
      if (left <= 0) break;
      update_dependant(transaction, link, now);
      left -= kLookCost;
      after = link.task;
    }
    if (std::ssize(links) < limit && (links.empty() || after == links.back().task)) {
      return std::nullopt;
    }
  }
  return after;
}

void leave_for_later(Transaction& transaction, TaskId upstream, TaskId after) {
  Connection& db = transaction.db();
  if (open_links_on(db, upstream, after, 1).empty()) return;
  // Work that an earlier command left, from an earlier dependant on, is not done either.
  db.run(
      "INSERT INTO links_to_update (on_task, after_task) VALUES (?1, ?2)"
      " ON CONFLICT DO UPDATE SET after_task = min(after_task, excluded.after_task)",
      upstream, after);
  transaction.add_wake(transaction.now());
}

std::optional<TaskId> left_behind(Connection& db, TaskId upstream) {
  Query row = db.query("SELECT after_task FROM links_to_update WHERE on_task = ?1");
  if (!row.bind(upstream).step()) return std::nullopt;
  return row.int64(0);
}

// Handles some hundred of the links that commands left.
void walk_on(Transaction& transaction, TaskId upstream, TaskId after) {
  Connection& db = transaction.db();
  if (const auto reached = walk(transaction, upstream, after)) {
    db.run("UPDATE links_to_update SET after_task = ?2 WHERE on_task = ?1", upstream, *reached);
  } else {
    db.run("DELETE FROM links_to_update WHERE on_task = ?1", upstream);
  }
  propagate_dependencies(transaction);
}

std::optional<TaskId> next_left(Connection& db, TaskId behind) {
  Query row =
      db.query("SELECT on_task FROM links_to_update WHERE on_task > ?1 ORDER BY on_task LIMIT 1");
  if (!row.bind(behind).step()) return std::nullopt;
  return row.int64(0);
}

std::optional<TaskId> array_of(Connection& db, TaskId task) {
  Query row = db.query("SELECT array_id FROM tasks WHERE id = ?1 AND array_id IS NOT NULL");
  if (!row.bind(task).step()) return std::nullopt;
  return row.int64(0);
}

}  // namespace

TaskId upstream_id(const Dependency& dependency) {
  return dependency.whole_array ? -dependency.task : dependency.task;
}

std::optional<TaskId> find_unknown_dependency(Connection& db, const Actor& actor,
                                              const std::vector<Dependency>& depends_on) {
  for (const Dependency& dependency : depends_on) {
    Query row = dependency.whole_array ? db.query("SELECT uid FROM arrays WHERE id = ?1")
                                       : db.query("SELECT uid FROM tasks WHERE id = ?1");
    const bool visible =
        row.bind(dependency.task).step() && actor.sees(row.uid(0));
    if (!visible) return dependency.task;
  }
  return std::nullopt;
}

std::vector<Dependency> load_dependencies(Connection& db, TaskId task) {
  Query rows =
      db.query("SELECT on_task, on_end FROM dependencies WHERE task_id = ?1 ORDER BY position");
  rows.bind(task);
  std::vector<Dependency> all;
  while (rows.step()) {
    const TaskId upstream = rows.int64(0);
    all.push_back(
        {std::abs(upstream), rows.word(1, parse_dependency_on, DependencyOn::ok), upstream < 0});
  }
  return all;
}

bool has_dependencies(Connection& db, TaskId task) {
  Query row = db.query("SELECT 1 FROM dependencies WHERE task_id = ?1 LIMIT 1");
  return row.bind(task).step();
}

std::int64_t count_links(Connection& db, TaskId task) {
  Query row = db.query("SELECT count(*) FROM dependencies WHERE task_id = ?1");
  row.bind(task).step();
  return row.int64(0);
}

bool has_open_links(Connection& db, TaskId task) {
  return !links_of(db, task).are_met();
}

bool has_open_links(Connection& db, const std::vector<Dependency>& depends_on,
                    OnDependencyFailed policy) {
  return std::any_of(depends_on.begin(), depends_on.end(), [&](const Dependency& one) {
    return judge(LinkState::pending, look_at_upstream(db, upstream_id(one)), one.on, policy,
                 Standing::blocked) != LinkState::met;
  });
}

void insert_dependencies(Transaction& transaction, TaskId task, const PreparedSpec& spec) {
  Connection& db = transaction.db();
  std::int64_t position = 0;
  for (const Dependency& dependency : spec.depends_on) {
    LinkState state = judge(LinkState::pending, look_at_upstream(db, upstream_id(dependency)),
                            dependency.on, spec.on_dependency_failed, Standing::blocked);
    if (state == LinkState::failed || state == LinkState::skipped) {
      // Judged at the end of the command, as if the upstream had just ended; older dependants need
      // no update.
      state = LinkState::pending;
      transaction.add_moved(upstream_id(dependency), task - 1);
    }
    db.run(
        "INSERT INTO dependencies (task_id, on_task, on_end, state, position)"
        " VALUES (?1, ?2, ?3, ?4, ?5)",
        task, upstream_id(dependency), taskd::to_string(dependency.on), to_string(state),
        position++);
  }
}

bool is_skipped(Connection& db, TaskId task) {
  return look_at_upstream(db, task) == Upstream::skipped;
}

bool was_skipped(Connection& db, TaskId task) {
  return is_skipped(db, task) && has_link(db, task, LinkState::skipped);
}

void waive_dependencies(Connection& db, TaskId task) {
  db.run("UPDATE dependencies SET state = 'met' WHERE task_id = ?1 AND state <> 'met'", task);
}

bool reopen_to_wait(Transaction& transaction, StoredTask& task, const Note& note) {
  Connection& db = transaction.db();
  if (look_at(db, task.id).standing != Standing::ended) return false;
  // Tasks that the same request retried earlier may reopen this task's dependencies, or the task
  // itself.
  propagate_dependencies(transaction);
  task = must_load(db, task.id);
  if (!is_end(task.row.state)) return true;
  if (!judge_all(transaction, task.id, look_at(db, task.id)).pending) return false;
  db.run(
      "UPDATE dependencies SET state = 'met' WHERE task_id = ?1 AND state <> 'met'"
      " AND state <> 'pending'",
      task.id);
  reopen(transaction, task, note);
  return true;
}

void propagate_dependencies(Transaction& transaction) {
  for (;;) {
    const std::vector<Transaction::Moved> moved = transaction.take_moved();
    if (moved.empty()) return;
    for (const auto& [upstream, after] : moved) {
      if (const auto reached = walk(transaction, upstream, after)) {
        leave_for_later(transaction, upstream, *reached);
      }
    }
  }
}

bool update_dependants(Transaction& transaction, TaskId& latest) {
  Connection& db = transaction.db();
  auto next = next_left(db, latest);
  if (!next) next = next_left(db, std::numeric_limits<TaskId>::min());
  if (!next) return false;
  latest = *next;
  walk_on(transaction, latest, left_behind(db, latest).value_or(0));
  return true;
}

bool update_dependants_of(Transaction& transaction, const std::vector<TaskId>& tasks) {
  Connection& db = transaction.db();
  const auto update = [&](TaskId upstream) {
    const auto after = left_behind(db, upstream);
    if (after) walk_on(transaction, upstream, *after);
    return after.has_value();
  };
  return std::any_of(tasks.begin(), tasks.end(), [&](TaskId task) {
    if (update(task)) return true;
    const auto array = array_of(db, task);
    return array && update(-*array);
  });
}

}  // namespace taskd
