// Changes caused by time alone: due tasks are queued, old tasks deleted.
#include "daemon/store/limits/arrays.h"
#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/read/id_range.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr std::int64_t kLookAgainMs = 1000;  // while waiting for disk space

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::int64_t kKeepEventsMs = 30 * kDayMs;
constexpr std::int64_t kKeepSlotsMs = 30 * kDayMs;
constexpr std::int64_t kKeepDeliveriesMs = 30 * kDayMs;  // for existing tasks
constexpr std::int64_t kKeepKeysMs = 7 * kDayMs;
constexpr int kEventsPerTask = 10;  // deleted per removed task: more than a usual life writes

std::vector<TaskId> read_ids(Query& rows) {
  std::vector<TaskId> ids;
  while (rows.step()) ids.push_back(rows.int64(0));
  return ids;
}

std::optional<WallTime> first_time(Query row) {
  return row.step() ? std::optional(row.time(0)) : std::nullopt;
}

std::vector<TaskId> due_ids(Connection& db, WallTime now, int limit) {
  Query rows = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_due WHERE state = 'scheduled' AND due_at_ms <= ?1"
      " ORDER BY due_at_ms, id LIMIT ?2");
  rows.bind(now, limit);
  return read_ids(rows);
}

std::optional<WallTime> next_due(Connection& db) {
  return first_time(
      db.query("SELECT due_at_ms FROM tasks INDEXED BY tasks_due WHERE state = 'scheduled'"
               " ORDER BY due_at_ms LIMIT 1"));
}

// A task stays until promote() has updated everything that depends on it or on its array, some
// hundred links at a time, and until the arrays that depend on it are complete. A macro, since
// statements are literals.
#define NOT_LEFT                                                                    \
  " AND NOT EXISTS (SELECT 1 FROM links_to_update WHERE on_task = tasks.id)"        \
  " AND NOT EXISTS (SELECT 1 FROM links_to_update WHERE on_task = -tasks.array_id)" \
  " AND NOT EXISTS (SELECT 1 FROM array_dependencies WHERE on_task = tasks.id)"

std::vector<TaskId> prunable_ids(Connection& db, WallTime now, int limit) {
  Query rows =
      db.query("SELECT id FROM tasks INDEXED BY tasks_prunable WHERE prune_at_ms <= ?1" NOT_LEFT
               " ORDER BY prune_at_ms, id LIMIT ?2");
  rows.bind(now, limit);
  return read_ids(rows);
}

std::optional<WallTime> next_prunable(Connection& db) {
  return first_time(
      db.query("SELECT prune_at_ms FROM tasks INDEXED BY tasks_prunable"
               " WHERE prune_at_ms IS NOT NULL" NOT_LEFT " ORDER BY prune_at_ms LIMIT 1"));
}

void prune_keys(Connection& db, WallTime now, int limit) {
  db.run(
      "DELETE FROM idempotency_keys WHERE (uid, key) IN (SELECT uid, key FROM idempotency_keys"
      " WHERE created_at_ms <= ?1 ORDER BY created_at_ms LIMIT ?2)",
      now + -kKeepKeysMs, limit);
}

// Keeps the latest slot of each schedule for display. Slots of removed schedules are pruned
// gradually, too, since there may be millions.
void prune_slots(Connection& db, WallTime now, int limit) {
  db.run(
      "DELETE FROM schedule_slots WHERE (schedule_id, slot_at_ms) IN"
      " (SELECT old.schedule_id, old.slot_at_ms"
      " FROM schedule_slots old INDEXED BY schedule_slots_age WHERE old.dealt_with_at_ms <= ?1"
      " AND (old.slot_at_ms < (SELECT max(latest.slot_at_ms) FROM schedule_slots latest"
      " WHERE latest.schedule_id = old.schedule_id)"
      " OR NOT EXISTS (SELECT 1 FROM schedules WHERE id = old.schedule_id))"
      " ORDER BY old.dealt_with_at_ms LIMIT ?2)",
      now + -kKeepSlotsMs, limit);
}

void prune_deliveries(Connection& db, WallTime now, int limit) {
  db.run(
      "DELETE FROM deliveries WHERE seq IN (SELECT seq FROM deliveries INDEXED BY deliveries_done"
      " WHERE done_at_ms <= ?1 ORDER BY done_at_ms LIMIT ?2)",
      now + -kKeepDeliveriesMs, limit);
}

// From the low end, so that the rest has no gaps; the newest event stays whatever its age.
void prune_events(Connection& db, WallTime now, int limit) {
  db.run(
      "DELETE FROM events WHERE seq IN (SELECT seq FROM (SELECT seq, at_ms FROM events"
      " ORDER BY seq LIMIT ?2) WHERE at_ms <= ?1) AND seq < (SELECT max(seq) FROM events)",
      now + -kKeepEventsMs, limit);
}

void delete_events(Connection& db, const std::vector<std::int64_t>& seqs) {
  for (const std::int64_t seq : seqs) db.run("DELETE FROM events WHERE seq = ?1", seq);
}

}  // namespace

std::optional<WallTime> StoreExecution::promote(WallTime now, int limit) {
  // From a submit that is in progress or was interrupted by a crash.
  const auto array = impl_->read([](Connection& db) { return find_unfinished(db, {}); });
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) {
    for (const TaskId id : due_ids(transaction.db(), now, limit)) {
      StoredTask task = must_load(transaction.db(), id);
      transaction.transition(task, Event::due, task.row, {.type = "due"});
      if (transaction.is_spent()) return std::optional(now);
    }
    const std::size_t changes = transaction.changes().size();
    wake_keys(transaction, now, limit);
    const bool woken = transaction.changes().size() > changes;
    if (woken && transaction.is_spent()) return std::optional(now);
    const bool updated = update_dependants(transaction, impl_->latest_upstream);
    if (updated && transaction.is_spent()) return std::optional(now);
    // The ballast is only for the ends of running attempts.
    const bool must_wait = array && transaction.short_of_space();
    const bool made = array && !must_wait;
    if (made) make_more(transaction, *array);
    if (made || updated) return std::optional(now);
    if (must_wait) return std::optional(now + kLookAgainMs);
    return earlier(next_due(transaction.db()), next_key_wake(transaction.db()));
  });
}

TaskId StoreExecution::newest_id() {
  return impl_->read([](Connection& db) -> TaskId {
    Query row = db.query("SELECT seq FROM sqlite_sequence WHERE name = 'tasks'");
    return row.step() ? row.int64(0) : 0;
  });
}

std::vector<TaskId> StoreExecution::ids_between(TaskId first, TaskId last) {
  return impl_->read([&](Connection& db) {
    Query rows =
        db.query("SELECT id FROM tasks NOT INDEXED WHERE id BETWEEN ?1 AND ?2 ORDER BY id");
    rows.bind(first, last);
    return read_ids(rows);
  });
}

std::int64_t StoreExecution::kept_events() const {
  return impl_->event_sweep.kept();
}

StoreExecution::PruneResult StoreExecution::prune(WallTime now, int limit) {
  const EventSweep::Step sweep =
      impl_->read([&](Connection& db) { return impl_->event_sweep.look(db); });
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) {
    Connection& db = transaction.db();
    PruneResult result;
    std::int64_t links = 0;
    for (const TaskId id : prunable_ids(db, now, limit)) {
      links += count_links(db, id);
      if (links > kLinksAtOnce && !result.tasks.empty()) break;
      const StoredTask task = must_load(db, id);
      transaction.remove(task, {.type = "pruned"});
      result.tasks.push_back({task.id, task.row.attempt});
      if (!transaction.is_spent()) continue;
      result.next = now;
      return result;
    }
    prune_keys(db, now, limit);
    prune_slots(db, now, limit);
    prune_deliveries(db, now, limit);
    prune_events(db, now, limit * kEventsPerTask);
    delete_events(db, sweep.seqs);
    forget_clock_steps(db);
    result.next = sweep.more ? std::optional(now) : next_prunable(db);
    return result;
  });
}

}  // namespace taskd
