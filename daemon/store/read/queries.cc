// The reads.
#include <algorithm>
#include <stdexcept>

#include "daemon/limits/demand.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/read/id_range.h"
#include "daemon/store/read/selection.h"
#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

std::optional<Outcome> load_outcome(Connection& db, TaskId task, int attempt) {
  Query row = db.query(
      "SELECT outcome, code, detail FROM attempts WHERE task_id = ?1 AND number = ?2 AND"
      " outcome IS NOT NULL");
  if (!row.bind(task, attempt).step()) return std::nullopt;
  return Outcome{row.word(0, parse_outcome_kind, OutcomeKind::lost), row.integer(1), row.text(2)};
}

// "" if it was removed.
std::string load_schedule_name(Connection& db, std::int64_t schedule) {
  Query row = db.query("SELECT name FROM schedules WHERE id = ?1");
  return row.bind(schedule).step() ? row.text(0) : "";
}

Attempt read_attempt(const Query& row, TaskId task) {
  Attempt attempt;
  attempt.task = task;
  attempt.number = row.integer(0);
  attempt.token = row.text(1);
  attempt.boot_id = row.text(2);
  attempt.started_at = row.time(3);
  attempt.ended_at = row.optional_time(4);
  attempt.usage = {row.int64(5), row.int64(6), row.int64(7)};
  attempt.stderr_tail = row.text(8);
  attempt.granted = grant_from_stored(row.view(9)).value_or(Grant());
  attempt.stdout_dropped_bytes = row.int64(10);
  attempt.stderr_dropped_bytes = row.int64(11);
  return attempt;
}

}  // namespace

bool sees(Connection& db, const Actor& actor, TaskId id) {
  Query row = db.query("SELECT uid FROM tasks WHERE id = ?1");
  return row.bind(id).step() && actor.sees(row.uid(0));
}

Task to_task(Connection& db, const StoredTask& stored) {
  Task task;
  task.id = stored.id;
  task.uid = stored.uid;
  task.array = stored.array;
  task.workflow = stored.workflow;
  if (stored.schedule) task.schedule = load_schedule_name(db, *stored.schedule);
  task.spec.queue = stored.queue;
  task.spec.name = stored.name;
  task.spec.priority = stored.priority;
  task.state = stored.row.state;
  task.reason = stored.row.reason;
  task.attempt = stored.row.attempt;
  task.tries = stored.row.tries;
  task.lost = stored.row.lost;
  task.created_at = stored.created_at;
  task.due_at = stored.row.due_at;
  task.started_at = stored.row.started_at;
  task.ended_at = stored.row.ended_at;
  task.cancel_requested_at = stored.row.cancel_requested_at;
  if (task.attempt == 0) return task;
  task.last_outcome = load_outcome(db, task.id, task.attempt);
  if (auto told = load_progress(db, task.id)) {
    task.progress = std::move(told->first);
    task.progress_at = told->second;
  }
  return task;
}

TaskSpec load_spec(Reader& db, const StoredTask& stored, std::string* text) {
  TaskSpec spec;
  spec.queue = stored.queue;
  spec.name = stored.name;
  spec.priority = stored.priority;
  std::optional<std::string> stored_text = stored_spec(db, stored);
  if (!stored_text) {
    throw std::runtime_error("task " + std::to_string(stored.id) + " has no spec");
  }
  spec_from_stored(*stored_text, spec);
  if (spec.constraints.depends_on.empty())
    spec.constraints.depends_on = load_dependencies(db, stored.id);
  if (text != nullptr) *text = *std::move(stored_text);
  return spec;
}

Task load_whole(Reader& db, const StoredTask& stored) {
  Task task = to_task(db, stored);
  try {
    task.spec = load_spec(db, stored);
  } catch (const SQLite::Exception&) {
    throw;
  } catch (const std::runtime_error& error) {
    // A damaged row must not hide others. The columns are shown as they are, and the task's end
    // says why.
    task.unreadable = error.what();
  }
  return task;
}

namespace {

Task name_owner(StoreImpl& store, Task task) {
  if (task.uid < kFirstFormerOwner) return task;
  if (const auto user = store.known_user(task.uid))
    task.former_user = user->name + " (uid " + std::to_string(user->uid) + ")";
  return task;
}

}  // namespace

std::optional<Task> StoreTasks::get(const Actor& actor, TaskId id) {
  return impl_->read([&](Reader& db) -> std::optional<Task> {
    const std::optional<StoredTask> task = load_task(db, id);
    if (!task || !actor.sees(task->uid)) return std::nullopt;
    return name_owner(*impl_, load_whole(db, *task));
  });
}

std::vector<Task> StoreTasks::list(const ListRequest& request) {
  return impl_->read([&](Reader& db) {
    std::vector<Task> tasks;
    for (const TaskId id : select_ids(db, request)) {
      tasks.push_back(name_owner(*impl_, load_whole(db, load_task(db, id).value())));
    }
    return tasks;
  });
}

std::vector<TaskId> StoreTasks::list_ids(const ListRequest& request) {
  return impl_->read([&](Connection& db) { return select_ids(db, request); });
}

void StoreTasks::visit(const Actor& actor, std::span<const TaskId> ids,
                       const std::function<bool(const Task&)>& visit) {
  impl_->read([&](Reader& db) {
    for (const TaskId id : ids) {
      const std::optional<StoredTask> task = load_task(db, id);
      if (!task || !actor.sees(task->uid)) continue;
      if (!visit(name_owner(*impl_, load_whole(db, *task)))) return;
    }
  });
}

CommitTimesUs TaskStore::commit_times() const {
  return impl_->writer.times();
}

std::int64_t TaskStore::needed_disk_bytes() const {
  return Ballast::wanted_bytes(impl_->options.ballast_bytes);
}

bool StoreTasks::has_workflow(const Actor& actor, WorkflowId id) {
  return impl_->read([&](Connection& db) {
    Query row = db.query("SELECT 1 FROM workflows WHERE id = ?1 AND (?2 OR uid = ?3)");
    return row.bind(id, actor.admin, actor.uid).step();
  });
}

IdRange StoreTasks::ids_of(const Filter& filter) {
  return impl_->read([&](Connection& db) { return range_of(db, filter); });
}

Allocation load_allocation(Connection& db, std::int64_t running) {
  Allocation use;
  use.slots = running;
  Query rows = db.query(
      "SELECT t.demand, a.granted FROM tasks t INDEXED BY tasks_running_demand"
      " JOIN attempts a ON a.task_id = t.id AND a.number = t.attempt"
      " WHERE t.state = 'running' AND t.demand <> ''");
  while (rows.step()) {
    --use.slots;
    const auto demand = demand_from_stored(rows.view(0));
    const auto grant = grant_from_stored(rows.view(1));
    if (!demand) rows.note_unreadable(0);
    if (!grant) rows.note_unreadable(1);
    use.add(demand.value_or(Demand()), grant.value_or(Grant()));
  }
  return use;
}

Allocation StoreExecution::allocation() {
  return impl_->read([](Connection& db) {
    Query running = db.query("SELECT total(count) FROM counters WHERE state = 'running'");
    return load_allocation(db, running.step() ? running.int64(0) : 0);
  });
}

std::optional<TaskId> StoreTasks::last(const Actor& actor) {
  return impl_->read([&](Connection& db) -> std::optional<TaskId> {
    Query row = db.query(
        "SELECT coalesce(array_id, id) FROM tasks INDEXED BY tasks_of_user"
        " WHERE uid = ?1 AND schedule_id IS NULL ORDER BY id DESC LIMIT 1");
    if (!row.bind(actor.uid).step()) return std::nullopt;
    return row.int64(0);
  });
}

std::vector<Attempt> StoreTasks::attempts(TaskId id, int after, int limit) {
  return impl_->read([&](Connection& db) {
    std::vector<Attempt> attempts;
    Query rows = db.query(
        "SELECT number, token, boot_id, started_at_ms, ended_at_ms, user_cpu_ms, system_cpu_ms,"
        " max_rss_bytes, stderr_tail, granted, stdout_dropped_bytes, stderr_dropped_bytes FROM"
        " attempts WHERE task_id = ?1 AND number > ?2"
        " ORDER BY number LIMIT ?3");
    rows.bind(id, after, limit);
    while (rows.step()) {
      attempts.push_back(read_attempt(rows, id));
      attempts.back().outcome = load_outcome(db, id, attempts.back().number);
    }
    return attempts;
  });
}

}  // namespace taskd
