#include "daemon/store/limits/concurrency_keys.h"

#include <algorithm>

namespace taskd {
namespace {

// This many changed tasks are enough for one commit.
constexpr std::size_t kMaxWoken = 1000;

// A task's place in its line.
struct Place {
  TaskId task;
  int priority;
  bool is_before(const Place& other) const {
    return priority != other.priority ? priority > other.priority : task < other.task;
  }
};

std::optional<std::int64_t> id_of(Connection& db, std::uint32_t uid, const std::string& name) {
  Query row = db.query("SELECT id FROM keys WHERE uid = ?1 AND name = ?2");
  if (!row.bind(uid, name).step()) return std::nullopt;
  return row.int64(0);
}

void write_starts(Connection& db, std::int64_t key, const RecentStarts& starts) {
  db.run("UPDATE keys SET rate_full_at_ns = ?2, rate_starts = ?3 WHERE id = ?1", key,
         starts.full_at_ns, to_stored(starts.groups));
}

std::int64_t count_running(Connection& db, std::int64_t key) {
  Query row = db.query(
      "SELECT count(*) FROM tasks INDEXED BY tasks_active_of_key"
      " WHERE key_id = ?1 AND state = 'running'");
  row.bind(key).step();
  return row.int64(0);
}

std::int64_t count_queued(Connection& db, std::int64_t key, const std::string& queue) {
  Query row = db.query(
      "SELECT count(*) FROM tasks INDEXED BY tasks_active_of_key"
      " WHERE key_id = ?1 AND queue = ?2 AND state = 'queued'");
  row.bind(key, queue).step();
  return row.int64(0);
}

std::optional<Place> first_blocked(Connection& db, std::int64_t key, const std::string& queue) {
  Query row = db.query(
      "SELECT id, priority FROM tasks INDEXED BY tasks_active_of_key"
      " WHERE key_id = ?1 AND state = 'blocked' AND queue = ?2 AND blocked_on = 'key' ORDER BY "
      "priority DESC, id LIMIT "
      "1");
  row.bind(key, queue);
  if (!row.step()) return std::nullopt;
  return Place{row.int64(0), row.integer(1)};
}

std::optional<Place> last_queued(Connection& db, std::int64_t key, const std::string& queue) {
  Query row = db.query(
      "SELECT id, priority FROM tasks INDEXED BY tasks_active_of_key"
      " WHERE key_id = ?1 AND queue = ?2 AND state = 'queued' ORDER BY priority, id DESC LIMIT 1");
  row.bind(key, queue);
  if (!row.step()) return std::nullopt;
  return Place{row.int64(0), row.integer(1)};
}

// The next queue, by name, in which tasks of the key are queued or blocked.
std::optional<std::string> queue_after(Connection& db, std::int64_t key, const std::string& queue) {
  Query row = db.query(
      "SELECT min(queue) FROM ("
      "SELECT * FROM (SELECT queue FROM tasks INDEXED BY tasks_active_of_key WHERE key_id = ?1"
      " AND queue > ?2 AND state = 'queued' ORDER BY queue LIMIT 1)"
      " UNION ALL SELECT * FROM (SELECT queue FROM tasks INDEXED BY tasks_active_of_key"
      " WHERE key_id = ?1 AND state = 'blocked' AND queue > ?2 AND blocked_on = 'key' ORDER BY "
      "queue LIMIT 1))");
  if (!row.bind(key, queue).step() || row.is_null(0)) return std::nullopt;
  return row.text(0);
}

void block(Transaction& transaction, TaskId id) {
  StoredTask task = must_load(transaction.db(), id);
  TaskRow after = task.row;
  after.blocked_on = BlockedOn::key;
  transaction.transition(task, Event::block, after, {.type = "blocked"});
}

void unblock(Transaction& transaction, TaskId id) {
  StoredTask task = must_load(transaction.db(), id);
  transaction.transition(task, Event::unblocked, task.row, {.type = "unblocked"});
}

// Queues the first `allowed` of the key's tasks in one queue. Returns true if some are left
// blocked.
bool propagate_queue(Transaction& transaction, std::int64_t key, const std::string& queue,
                     std::int64_t allowed) {
  Connection& db = transaction.db();
  std::int64_t queued = count_queued(db, key, queue);
  for (;;) {
    const std::optional<Place> waiting = first_blocked(db, key, queue);
    if (queued < allowed) {
      if (!waiting) return false;
      unblock(transaction, waiting->task);
      ++queued;
      continue;
    }
    const std::optional<Place> last = last_queued(db, key, queue);
    const bool is_passed = last && waiting && waiting->is_before(*last);
    if (queued == allowed && !is_passed) return waiting.has_value();
    block(transaction, last.value().task);
    --queued;
  }
}

void wake_at(Transaction& transaction, const StoredKey& key, std::optional<WallTime> at) {
  if (at == key.wake_at) return;
  transaction.db().run("UPDATE keys SET wake_at_ms = ?2 WHERE id = ?1", key.id, at);
  if (at) transaction.add_wake(*at);
}

void propagate_key(Transaction& transaction, std::int64_t id) {
  Connection& db = transaction.db();
  const std::optional<StoredKey> key = load_key(db, id);
  if (!key) return;
  const KeyAllowance allowed = allowance_of(db, *key, transaction.now());
  bool some_wait = false;
  for (auto queue = queue_after(db, id, ""); queue; queue = queue_after(db, id, *queue)) {
    some_wait |= propagate_queue(transaction, id, *queue, allowed.starts);
  }
  wake_at(transaction, *key, some_wait ? allowed.more_at : std::nullopt);
}

}  // namespace

std::optional<StoredKey> load_key(Connection& db, std::int64_t id) {
  Query row = db.query(
      "SELECT uid, name, concurrency, rate_count, rate_per_ms, rate_burst, rate_full_at_ns,"
      " rate_starts, wake_at_ms FROM keys WHERE id = ?1");
  if (!row.bind(id).step()) return std::nullopt;
  StoredKey key;
  key.id = id;
  key.uid = row.uid(0);
  key.name = row.text(1);
  if (!row.is_null(2)) key.concurrency = row.integer(2);
  key.rate = read_rate(row, 3);
  key.starts = read_starts(row, 6);
  key.wake_at = row.optional_time(8);
  return key;
}

KeyAllowance allowance_of(Connection& db, const StoredKey& key, WallTime now) {
  const std::int64_t running = key.concurrency ? count_running(db, key.id) : 0;
  return key_allowance(key.concurrency, running, key.rate, key.starts, now);
}

bool is_key(Connection& db, std::uint32_t uid, const std::string& name) {
  return id_of(db, uid, name).has_value();
}

std::optional<std::int64_t> find_key(Transaction& transaction, std::uint32_t uid,
                                     const KeyUse& use) {
  if (use.name.empty()) return std::nullopt;
  Connection& db = transaction.db();
  std::optional<std::int64_t> id = id_of(db, uid, use.name);
  if (id && !use.limit && !use.rate) return id;
  std::optional<int> limit = use.limit;
  if (!id && !limit && !use.rate) limit = kDefaultKeyLimit;
  Query row = db.query(
      "INSERT INTO keys (uid, name, concurrency, rate_count, rate_per_ms, rate_burst)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (uid, name) DO UPDATE SET"
      " concurrency = coalesce(excluded.concurrency, concurrency),"
      " rate_count = coalesce(excluded.rate_count, rate_count),"
      " rate_per_ms = coalesce(excluded.rate_per_ms, rate_per_ms),"
      " rate_burst = iif(excluded.rate_count IS NULL, rate_burst, excluded.rate_burst)"
      " RETURNING id");
  row.bind(uid, use.name, limit, use.rate ? std::optional(use.rate->count) : std::nullopt,
           use.rate ? std::optional(use.rate->per_ms) : std::nullopt,
           use.rate ? use.rate->burst : std::nullopt);
  if (!row.step()) throw std::logic_error("a key has no row");
  id = row.int64(0);
  row.run();
  if (use.rate) cap_key_starts(transaction, *id);
  transaction.touch_key(*id);
  return id;
}

void cap_key_starts(Transaction& transaction, std::int64_t key) {
  const std::optional<StoredKey> stored = load_key(transaction.db(), key);
  if (!stored || !stored->rate) return;
  write_starts(transaction.db(), key,
               after_rewind(*stored->rate, stored->starts, transaction.now()));
}

bool has_key_room(Transaction& transaction, std::int64_t key, const std::string& queue) {
  Connection& db = transaction.db();
  if (first_blocked(db, key, queue)) return false;
  const KeyAllowance allowed = allowance_of(db, load_key(db, key).value(), transaction.now());
  return count_queued(db, key, queue) < allowed.starts;
}

void count_key_start(Transaction& transaction, std::int64_t id) {
  const std::optional<StoredKey> key = load_key(transaction.db(), id);
  if (!key || !key->rate) return;
  write_starts(transaction.db(), id, after_start(*key->rate, key->starts, transaction.now()));
}

void propagate_keys(Transaction& transaction) {
  // Changes made while settling need no settling themselves.
  for (const std::int64_t key : transaction.take_touched_keys()) propagate_key(transaction, key);
  transaction.take_touched_keys();
}

void rewind_keys(Transaction& transaction, WallTime now) {
  Connection& db = transaction.db();
  std::vector<std::int64_t> ahead;
  {
    // The text starts with the time of the newest start.
    Query rows = db.query(
        "SELECT id FROM keys WHERE CAST(rate_starts AS INTEGER) > ?1"
        " OR rate_full_at_ns > (?1 + rate_per_ms) * 1000000");
    rows.bind(now);
    while (rows.step()) ahead.push_back(rows.int64(0));
  }
  for (const std::int64_t key : ahead) {
    cap_key_starts(transaction, key);
    db.run("UPDATE keys SET wake_at_ms = ?2 WHERE id = ?1", key, now);
  }
  transaction.add_wake(now);
}

void wake_keys(Transaction& transaction, WallTime now, int limit) {
  std::vector<std::int64_t> due;
  {
    Query rows = transaction.db().query(
        "SELECT id FROM keys INDEXED BY keys_wake WHERE wake_at_ms <= ?1 ORDER BY wake_at_ms"
        " LIMIT ?2");
    rows.bind(now, limit);
    while (rows.step()) due.push_back(rows.int64(0));
  }
  const std::size_t before = transaction.changes().size();
  for (const std::int64_t key : due) {
    transaction.touch_key(key);
    propagate_keys(transaction);
    if (transaction.changes().size() - before > kMaxWoken) return;
  }
}

std::optional<WallTime> next_key_wake(Connection& db) {
  Query row = db.query(
      "SELECT wake_at_ms FROM keys INDEXED BY keys_wake WHERE wake_at_ms IS NOT NULL"
      " ORDER BY wake_at_ms LIMIT 1");
  if (!row.step()) return std::nullopt;
  return row.time(0);
}

void forget_unused_key(Connection& db, std::int64_t key) {
  db.run(
      "DELETE FROM keys WHERE id = ?1 AND NOT EXISTS"
      " (SELECT 1 FROM tasks INDEXED BY tasks_of_key WHERE key_id = ?1)",
      key);
}

}  // namespace taskd
