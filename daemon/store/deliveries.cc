// The life of the rows that the Outbox writes.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/base/log.h"
#include "daemon/store/limits/arrays.h"
#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

// The columns for read_delivery(). A macro, since statements are literals.
#define DELIVERY_COLUMNS                                                                  \
  "seq, delivery_id, task_id, hook, event, at_ms, state, tries, tried_at_ms, next_at_ms," \
  " done_at_ms, error, uid"

Delivery read_delivery(const Query& row) {
  Delivery delivery;
  delivery.seq = row.int64(0);
  delivery.id = row.text(1);
  delivery.task = row.int64(2);
  delivery.hook = row.text(3);
  delivery.event = row.word(4, parse_hook_event, HookEvent::failed);
  delivery.at = row.time(5);
  delivery.state = row.word(6, parse_delivery_state, DeliveryState::failed);
  delivery.tries = row.integer(7);
  delivery.tried_at = row.optional_time(8);
  delivery.next_at = row.optional_time(9);
  delivery.done_at = row.optional_time(10);
  delivery.error = row.text(11);
  delivery.uid = static_cast<std::uint32_t>(row.int64(12));
  return delivery;
}

bool has_pending(Connection& db) {
  Query row = db.query(
      "SELECT 1 FROM deliveries INDEXED BY deliveries_pending WHERE state = 'pending' LIMIT 1");
  return row.step();
}

std::vector<std::string> pending_hooks(Connection& db) {
  Query rows = db.query(
      "SELECT DISTINCT hook FROM deliveries INDEXED BY deliveries_pending"
      " WHERE state = 'pending'");
  std::vector<std::string> hooks;
  while (rows.step()) hooks.push_back(rows.text(0));
  return hooks;
}

bool is_declared(const std::vector<HookRule>& hooks, const std::string& name) {
  return std::any_of(hooks.begin(), hooks.end(),
                     [&](const HookRule& hook) { return hook.name == name; });
}

// The part of the task that the delivery's row describes.
struct RowTask {
  std::string task;
  bool unreadable = false;
};

std::optional<Delivery> first_due(Query& row, RowTask& row_task) {
  if (!row.step()) return std::nullopt;
  row_task.task = row.text(13);
  row_task.unreadable = !parse_hook_event(row.view(4)) ||
                        parse_delivery_state(row.view(6)) != DeliveryState::pending ||
                        !nlohmann::json::accept(row_task.task) || row_task.task.front() != '{';
  return read_delivery(row);
}

// The next user after this one who has deliveries pending for the hook; -1 to begin.
std::optional<std::uint32_t> next_user(Connection& db, const std::string& hook,
                                       std::int64_t after) {
  Query row = db.query(
      "SELECT uid FROM deliveries INDEXED BY deliveries_due WHERE hook = ?1 AND uid > ?2"
      " AND next_at_ms IS NOT NULL ORDER BY uid LIMIT 1");
  if (!row.bind(hook, after).step()) return std::nullopt;
  return static_cast<std::uint32_t>(row.int64(0));
}

// The user's earliest due delivery. A next try beyond the longest back-off comes from a clock that
// was set back since, so it is due, too.
std::optional<Delivery> find_due(Connection& db, const std::string& hook, std::uint32_t uid,
                                 WallTime now, RowTask& row_task) {
  Query due = db.query("SELECT " DELIVERY_COLUMNS
                       ", task FROM deliveries INDEXED BY deliveries_due WHERE hook = ?1"
                       " AND uid = ?2 AND next_at_ms <= ?3 ORDER BY next_at_ms, seq LIMIT 1");
  if (auto delivery = first_due(due.bind(hook, uid, now), row_task)) return delivery;
  Query stray = db.query("SELECT " DELIVERY_COLUMNS
                         ", task FROM deliveries INDEXED BY deliveries_due WHERE hook = ?1"
                         " AND uid = ?2 AND next_at_ms > ?3 ORDER BY next_at_ms, seq LIMIT 1");
  return first_due(stray.bind(hook, uid, now + kMaxDeliveryDelayMs), row_task);
}

// The spec at the time of the change; an empty one if it is unreadable.
TaskSpec delivery_spec(Reader& db, const Delivery& delivery) {
  try {
    Query row = db.query(
        "SELECT spec FROM delivery_specs INDEXED BY delivery_specs_of_task"
        " WHERE task_id = ?1 AND last_seq >= ?2 ORDER BY last_seq LIMIT 1");
    TaskSpec spec;
    if (row.bind(delivery.task, delivery.seq).step()) {
      spec_from_stored(row.view(0), spec);
      return spec;
    }
    if (const auto task = load_task(db, delivery.task)) return load_spec(db, *task);
    Query shared = db.query("SELECT spec FROM array_specs WHERE array_id = ?1");
    if (shared.bind(array_around(db, delivery.task)).step()) spec_from_stored(shared.view(0), spec);
    return spec;
  } catch (const SQLite::Exception&) {
    throw;
  } catch (const std::runtime_error&) {
    return {};
  }
}

// Merges the two objects.
std::string describe(Reader& db, const StoreOptions& options, const Delivery& delivery,
                     const RowTask& row_task) {
  std::string all = row_task.task;
  const std::string more = options.describe_spec(delivery_spec(db, delivery));
  if (more == "{}") return all;
  all.back() = ',';
  return all.append(more, 1);
}

std::optional<WallTime> next_due(Connection& db, const std::string& hook, std::uint32_t uid) {
  Query row = db.query(
      "SELECT next_at_ms FROM deliveries INDEXED BY deliveries_due WHERE hook = ?1 AND uid = ?2"
      " AND next_at_ms IS NOT NULL ORDER BY next_at_ms, seq LIMIT 1");
  if (!row.bind(hook, uid).step()) return std::nullopt;
  return row.time(0);
}

// The users with deliveries pending for the hook, in the order of their turns. There are few.
std::vector<std::uint32_t> users_in_turn(Connection& db, const std::string& hook,
                                         const DeliveryTurn& turn) {
  std::vector<std::uint32_t> users;
  for (auto uid = next_user(db, hook, -1); uid; uid = next_user(db, hook, *uid)) {
    const bool rests =
        std::find(turn.resting.begin(), turn.resting.end(), *uid) != turn.resting.end();
    if (!rests) users.push_back(*uid);
  }
  const auto first =
      turn.after ? std::upper_bound(users.begin(), users.end(), *turn.after) : users.begin();
  std::rotate(users.begin(), first, users.end());
  return users;
}

struct Waiting {
  std::int64_t seq;
  TaskId task;
};

std::vector<Waiting> waiting_since(Connection& db, const std::string& hook, std::uint32_t uid,
                                   WallTime before, int limit) {
  Query rows = db.query(
      "SELECT seq, task_id FROM deliveries INDEXED BY deliveries_age"
      " WHERE hook = ?1 AND uid = ?2 AND state = 'pending' AND at_ms <= ?3"
      " ORDER BY at_ms, seq LIMIT ?4");
  rows.bind(hook, uid, before, limit);
  std::vector<Waiting> waiting;
  while (rows.step()) waiting.push_back({rows.int64(0), rows.int64(1)});
  return waiting;
}

// The delivery has ended; releases the next one to this hook about this task.
void let_next_go(Connection& db, const std::string& hook, TaskId task, WallTime now) {
  const int changed = db.run(
      "UPDATE deliveries SET next_at_ms = ?3 WHERE seq = (SELECT seq FROM deliveries"
      " INDEXED BY deliveries_pending WHERE hook = ?1 AND task_id = ?2 AND state = 'pending'"
      " ORDER BY seq LIMIT 1)",
      hook, task, now);
  if (changed > 1) throw std::logic_error("more than one delivery was let go");
}

// Ended deliveries disappear with their task; this one stayed because of pending ones.
void remove_with_task(Connection& db, TaskId task) {
  forget_delivery_specs(db, task);
  db.run(
      "DELETE FROM deliveries WHERE task_id = ?1 AND state <> 'pending'"
      " AND NOT EXISTS (SELECT 1 FROM tasks WHERE id = ?1)",
      task);
  if (const auto array = array_around(db, task)) forget_unused_array(db, *array);
}

void forget_unused_arrays(Connection& db) {
  std::vector<TaskId> arrays;
  {
    Query rows = db.query(
        "SELECT id FROM arrays WHERE NOT EXISTS"
        " (SELECT 1 FROM tasks INDEXED BY tasks_of_array WHERE array_id = arrays.id)");
    while (rows.step()) arrays.push_back(rows.int64(0));
  }
  for (const TaskId array : arrays) forget_unused_array(db, array);
}

}  // namespace

std::int64_t StoreDeliveries::resume_deliveries() {
  if (!impl_->read([](Connection& db) { return has_pending(db); })) return 0;
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) -> std::int64_t {
    Connection& db = transaction.db();
    std::int64_t given_up = 0;
    for (const std::string& hook : pending_hooks(db)) {
      if (is_declared(impl_->options.hooks, hook)) {
        db.run(
            "UPDATE deliveries INDEXED BY deliveries_due SET next_at_ms = ?2"
            " WHERE hook = ?1 AND next_at_ms > ?2 AND state = 'pending'",
            hook, transaction.now());
        continue;
      }
      given_up += db.run(
          "UPDATE deliveries SET state = 'failed', done_at_ms = ?2, next_at_ms = NULL, task = NULL,"
          " tried_at_ms = ?2, error = 'the hook is not declared any more'"
          " WHERE hook = ?1 AND state = 'pending'",
          hook, transaction.now());
    }
    if (given_up > 0) {
      db.run(
          "DELETE FROM delivery_specs WHERE NOT EXISTS (SELECT 1 FROM deliveries"
          " INDEXED BY deliveries_of_task WHERE task_id = delivery_specs.task_id"
          " AND seq <= delivery_specs.last_seq AND state = 'pending')");
      forget_unused_arrays(db);
    }
    return given_up;
  });
}

DueDelivery StoreDeliveries::due_delivery(const std::string& hook, WallTime now,
                                    const DeliveryTurn& turn) {
  for (;;) {
    bool unreadable = false;
    DueDelivery due = find_due_delivery(hook, now, turn, unreadable);
    if (!unreadable) return due;
    drop_unreadable(*due.delivery);
  }
}

void StoreDeliveries::drop_unreadable(const Delivery& delivery) {
  log::error("dropping a delivery: its row cannot be read",
             {{"delivery", delivery.id}, {"hook", delivery.hook}, {"task", delivery.task}});
  impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
    Connection& db = transaction.db();
    if (db.run("DELETE FROM deliveries WHERE seq = ?1", delivery.seq) == 0) return;
    transaction.add_event(delivery.task, std::nullopt,
                          {.type = "delivery_dropped",
                           .detail = "hook=" + delivery.hook + " delivery=" + delivery.id});
    let_next_go(db, delivery.hook, delivery.task, transaction.now());
    remove_with_task(db, delivery.task);
  });
}

DueDelivery StoreDeliveries::find_due_delivery(const std::string& hook, WallTime now,
                                         const DeliveryTurn& turn, bool& unreadable) {
  return impl_->read([&](Reader& db) {
    DueDelivery due;
    for (const std::uint32_t uid : users_in_turn(db, hook, turn)) {
      RowTask row_task;
      due.delivery = find_due(db, hook, uid, now, row_task);
      if (due.delivery) {
        unreadable = row_task.unreadable;
        if (!unreadable) due.task = describe(db, impl_->options, *due.delivery, row_task);
        return due;
      }
      const auto next = next_due(db, hook, uid);
      if (next && (!due.next || *next < *due.next)) due.next = next;
    }
    return due;
  });
}

std::optional<WallTime> StoreDeliveries::oldest_delivery(const std::string& hook,
                                                         std::uint32_t uid) {
  return impl_->read([&](Connection& db) -> std::optional<WallTime> {
    Query row = db.query(
        "SELECT at_ms FROM deliveries INDEXED BY deliveries_age"
        " WHERE hook = ?1 AND uid = ?2 AND state = 'pending' ORDER BY at_ms, seq LIMIT 1");
    if (!row.bind(hook, uid).step()) return std::nullopt;
    return row.time(0);
  });
}

bool StoreDeliveries::record_try(const DeliveryTry& result) {
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) {
    Connection& db = transaction.db();
    const Delivery& delivery = result.delivery;
    const bool done = result.state != DeliveryState::pending;
    const int changed = db.run(
        "UPDATE deliveries SET state = ?3, tries = tries + 1, tried_at_ms = ?4, next_at_ms = ?5,"
        " done_at_ms = ?6, error = ?7, task = CASE WHEN ?6 IS NULL THEN task END"
        " WHERE seq = ?1 AND state = 'pending' AND tries = ?2",
        delivery.seq, delivery.tries, to_string(result.state), transaction.now(),
        done ? std::nullopt : std::optional(result.next_at),
        done ? std::optional(transaction.now()) : std::nullopt, result.error);
    if (changed == 0) return false;
    if (done) {
      let_next_go(db, delivery.hook, delivery.task, transaction.now());
      remove_with_task(db, delivery.task);
    }
    return true;
  });
}

int StoreDeliveries::give_up_deliveries(const std::string& hook, std::uint32_t uid, WallTime before,
                                  int limit) {
  return impl_->write(WhenFull::use_ballast, [&](Transaction& transaction) {
    Connection& db = transaction.db();
    const std::vector<Waiting> old = waiting_since(db, hook, uid, before, limit);
    for (const Waiting& delivery : old) {
      const int changed = db.run(
          "UPDATE deliveries SET state = 'failed', done_at_ms = ?2, next_at_ms = NULL, task = NULL,"
          " error = CASE error WHEN '' THEN 'the hook accepted nothing' ELSE error END"
          " || '; given up: too old' WHERE seq = ?1 AND state = 'pending'",
          delivery.seq, transaction.now());
      if (changed != 1) throw std::logic_error("a delivery that waits was not given up");
      let_next_go(db, hook, delivery.task, transaction.now());
      remove_with_task(db, delivery.task);
    }
    return static_cast<int>(old.size());
  });
}

std::vector<Delivery> StoreDeliveries::deliveries(TaskId task, std::int64_t after, int limit) {
  return impl_->read([&](Connection& db) {
    Query rows = db.query("SELECT " DELIVERY_COLUMNS
                          " FROM deliveries INDEXED BY deliveries_of_task"
                          " WHERE task_id = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3");
    rows.bind(task, after, limit);
    std::vector<Delivery> deliveries;
    while (rows.step()) deliveries.push_back(read_delivery(rows));
    return deliveries;
  });
}

HookCounts StoreDeliveries::hook_counts(const std::string& hook) {
  return impl_->read([&](Connection& db) {
    HookCounts counts;
    Query pending = db.query(
        "SELECT count(*) FROM deliveries INDEXED BY deliveries_pending"
        " WHERE hook = ?1 AND state = 'pending'");
    if (pending.bind(hook).step()) counts.pending = pending.int64(0);
    Query failed = db.query(
        "SELECT count(*) FROM deliveries INDEXED BY deliveries_failed"
        " WHERE hook = ?1 AND state = 'failed'");
    if (failed.bind(hook).step()) counts.failed = failed.int64(0);
    Query error = db.query(
        "SELECT error, tried_at_ms FROM deliveries INDEXED BY deliveries_error"
        " WHERE hook = ?1 AND error <> '' ORDER BY tried_at_ms DESC, seq DESC LIMIT 1");
    if (error.bind(hook).step()) {
      counts.last_error = error.text(0);
      counts.last_error_at = error.optional_time(1);
    }
    return counts;
  });
}

}  // namespace taskd
