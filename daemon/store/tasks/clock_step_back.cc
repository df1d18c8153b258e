// Brings forward what was postponed while the clock was ahead.
#include <algorithm>

#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr std::size_t kTasksAtOnce = 500;

void rewind_schedules(Connection& db, WallTime now) {
  // An interval that starts in the future starts now instead.
  db.run(
      "UPDATE schedules SET created_at_ms = ?1, done_until_ms = ?1,"
      " next_at_ms = CASE WHEN paused_at_ms IS NULL THEN ?1 END"
      " WHERE every_ms > 0 AND created_at_ms > ?1",
      now);
  db.run(
      "UPDATE schedules SET done_until_ms = ?1, next_at_ms = ?1"
      " WHERE done_until_ms > ?1 AND paused_at_ms IS NULL",
      now);
}

// A task whose last attempt ended in the future, because the clock was ahead.
struct Retry {
  TaskId task;
  WallTime ended_at;
};

std::vector<Retry> retries_after(Connection& db, WallTime now) {
  Query rows = db.query(
      "SELECT t.id, a.ended_at_ms FROM tasks t INDEXED BY tasks_due"
      " CROSS JOIN attempts a ON a.task_id = t.id AND a.number = t.attempt"
      " WHERE t.state = 'scheduled' AND t.due_at_ms > ?1 AND a.ended_at_ms > ?1"
      " UNION ALL"
      " SELECT t.id, a.ended_at_ms FROM tasks t INDEXED BY tasks_in_state"
      " CROSS JOIN attempts a ON a.task_id = t.id AND a.number = t.attempt"
      " WHERE t.state = 'held' AND t.due_at_ms > ?1 AND a.ended_at_ms > ?1");
  rows.bind(now);
  std::vector<Retry> retries;
  while (rows.step()) retries.push_back({rows.int64(0), rows.time(1)});
  return retries;
}

void rewind_retry(Transaction& transaction, const Retry& retry, WallTime now) {
  const std::optional<StoredTask> found = load_task(transaction.db(), retry.task);
  if (!found || !found->row.due_at || found->row.tries == 0) return;
  StoredTask task = *found;
  const bool waits = task.row.state == State::scheduled || task.row.state == State::held;
  const WallTime due = *task.row.due_at;
  const std::int64_t longest_ms = backoff_delay_ms(task.policy.backoff, task.row.tries - 1, 1);
  // Any other start was given by a person.
  const bool backs_off = due >= retry.ended_at && due <= retry.ended_at + longest_ms;
  if (!waits || !backs_off || due <= now + longest_ms) return;
  TaskRow after = task.row;
  after.due_at = now + longest_ms;
  // Keeps the back-off distinguishable from a person's start time.
  transaction.db().run(
      "UPDATE attempts SET ended_at_ms = ?3 WHERE task_id = ?1 AND number = ?2", task.id,
      task.row.attempt, now);
  transaction.amend(task, after, {.type = "clock_put_back"});
}

}  // namespace

void StoreExecution::rewind_clock(WallTime now) {
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    rewind_schedules(transaction.db(), now);
    rewind_keys(transaction, now);
    transaction.queues().rewind(now);
  });
  const auto retries = impl_->read([&](Connection& db) { return retries_after(db, now); });
  for (std::size_t first = 0; first < retries.size(); first += kTasksAtOnce) {
    impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
      const std::size_t last = std::min(first + kTasksAtOnce, retries.size());
      for (std::size_t i = first; i < last; ++i) rewind_retry(transaction, retries[i], now);
    });
  }
}

}  // namespace taskd
