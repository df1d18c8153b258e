// Reports of running jobs. They write no event: there may be many, and they do not change the
// state.
#include <stdexcept>

#include "daemon/store/limits/dependencies.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

bool is_running(Connection& db, const AttemptKey& attempt) {
  Query row = db.query(
      "SELECT 1 FROM tasks WHERE id = ?1 AND state = 'running' AND attempt = ?2 AND token = ?3");
  return row.bind(attempt.task, attempt.attempt, attempt.token).step();
}

// It may have ended since the report arrived.
bool is_latest(Connection& db, const AttemptKey& attempt) {
  Query row = db.query(
      "SELECT 1 FROM attempts a JOIN tasks t ON t.id = a.task_id AND t.attempt = a.number"
      " WHERE a.task_id = ?1 AND a.number = ?2 AND a.token = ?3");
  return row.bind(attempt.task, attempt.attempt, attempt.token).step();
}

void write_progress(Connection& db, const ProgressReport& report) {
  const TaskId task = report.attempt.task;
  Progress progress = report.progress;
  // Only from this attempt: the claim removed earlier reports.
  if (const auto before = load_progress(db, task)) {
    if (!progress.percent) progress.percent = before->first.percent;
    if (!progress.message) progress.message = before->first.message;
  }
  const int changed = db.run(
      "INSERT INTO task_progress (task_id, attempt, percent, message, at_ms)"
      " VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (task_id) DO UPDATE SET"
      " attempt = excluded.attempt, percent = excluded.percent, message = excluded.message,"
      " at_ms = excluded.at_ms",
      task, report.attempt.attempt, progress.percent, progress.message.value_or(""), report.at);
  if (changed != 1) throw std::logic_error("a report of progress was not written");
}

}  // namespace

void write_result(Connection& db, TaskId task, int attempt, WallTime at, const std::string& json) {
  const int changed = db.run(
      "INSERT INTO task_results (task_id, attempt, at_ms, result) VALUES (?1, ?2, ?3, ?4)"
      " ON CONFLICT (task_id) DO UPDATE SET attempt = excluded.attempt, at_ms = excluded.at_ms,"
      " result = excluded.result",
      task, attempt, at, json);
  if (changed != 1) throw std::logic_error("a result was not written");
}

void forget_reports(Connection& db, TaskId task) {
  db.run("DELETE FROM task_progress WHERE task_id = ?1", task);
  db.run("DELETE FROM task_results WHERE task_id = ?1", task);
}

std::optional<TaskResult> load_result(Connection& db, TaskId task) {
  Query row = db.query("SELECT attempt, at_ms, result FROM task_results WHERE task_id = ?1");
  if (!row.bind(task).step()) return std::nullopt;
  return TaskResult{row.integer(0), row.time(1), row.text(2)};
}

std::optional<std::string> result_of(Connection& db, TaskId task) {
  auto result = load_result(db, task);
  return result ? std::optional(std::move(result->json)) : std::nullopt;
}

std::optional<std::pair<Progress, WallTime>> load_progress(Connection& db, TaskId task) {
  Query row = db.query("SELECT percent, message, at_ms FROM task_progress WHERE task_id = ?1");
  if (!row.bind(task).step()) return std::nullopt;
  Progress progress;
  if (!row.is_null(0)) progress.percent = row.integer(0);
  if (std::string message = row.text(1); !message.empty()) progress.message = std::move(message);
  return std::pair(std::move(progress), row.time(2));
}

bool StoreExecution::is_running(const AttemptKey& attempt) {
  return impl_->read([&](Connection& db) { return taskd::is_running(db, attempt); });
}

void StoreExecution::write_progress(std::span<const ProgressReport> reports) {
  impl_->writer.run(WhenFull::refuse, [&](Transaction& transaction) {
    for (const ProgressReport& report : reports) {
      if (is_latest(transaction.db(), report.attempt)) {
        taskd::write_progress(transaction.db(), report);
      }
    }
  });
}

bool StoreExecution::set_result(const AttemptKey& attempt, const std::string& json) {
  const auto owner = impl_->read([&](Connection& db) -> WriteQueue::Owner {
    Query row = db.query("SELECT uid FROM tasks WHERE id = ?1");
    return row.bind(attempt.task).step() ? row.int64(0) : 0;
  });
  return impl_->write_for(WhenFull::refuse, owner, [&](Transaction& transaction) {
    if (!taskd::is_running(transaction.db(), attempt)) return false;
    write_result(transaction.db(), attempt.task, attempt.attempt, transaction.now(), json);
    return true;
  });
}

std::optional<TaskResult> StoreTasks::result(TaskId id) {
  return impl_->read([&](Connection& db) { return load_result(db, id); });
}

std::vector<Dependency> StoreTasks::dependencies(TaskId id) {
  return impl_->read([&](Connection& db) { return load_dependencies(db, id); });
}

std::optional<DependencyEnd> StoreExecution::dependency_end(TaskId dependant, TaskId on) {
  return impl_->read([&](Connection& db) -> std::optional<DependencyEnd> {
    Query row = db.query(
        "SELECT CASE WHEN t.workflow_id = d.workflow_id THEN t.step ELSE '' END, t.state"
        " FROM tasks t LEFT JOIN tasks d ON d.id = ?1 WHERE t.id = ?2");
    if (!row.bind(dependant, on).step()) return std::nullopt;
    return DependencyEnd{row.text(0), row.state(1), taskd::result_of(db, on)};
  });
}

std::optional<std::string> StoreTasks::result_of(TaskId id) {
  return impl_->read([&](Connection& db) { return taskd::result_of(db, id); });
}

}  // namespace taskd
