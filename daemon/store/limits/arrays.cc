#include "daemon/store/limits/arrays.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "daemon/base/log.h"
#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

constexpr std::int64_t kRowsAtOnce = 1000;

TaskId next_id(Connection& db) {
  Query row = db.query("SELECT seq FROM sqlite_sequence WHERE name = 'tasks'");
  return (row.step() ? row.int64(0) : 0) + 1;
}

// Reserves the ids up to `last`.
void set_ids_aside(Connection& db, TaskId last) {
  db.run("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'tasks' AND seq < ?1", last);
}

// The key that its tasks share: the named one, or a private one for a limit of its own, which no
// submit can name. The first task sets the key's limits; later changes of them stay.
std::optional<std::int64_t> key_of(Transaction& transaction, const UnfinishedArray& array,
                                   std::uint32_t uid, std::int64_t place) {
  KeyUse key = array.task.spec.constraints.key;
  if (const int at_once = array.task.array->at_once; at_once > 0) {
    key = {std::string(kArrayKey) + std::to_string(array.id), at_once, std::nullopt};
  }
  if (place > 0 && is_key(transaction.db(), uid, key.name)) {
    key.limit = std::nullopt;
    key.rate = std::nullopt;
  }
  return find_key(transaction, uid, key);
}

// How many tasks have about `rows` rows, counting all rows that each one writes; at least one.
std::int64_t tasks_of(const UnfinishedArray& array, std::int64_t rows) {
  const PreparedSpec& spec = array.spec;
  const std::size_t rows_of_task =
      1 + spec.depends_on.size() + spec.labels.size() + spec.policy.notify.size();
  return std::max<std::int64_t>(rows / static_cast<std::int64_t>(rows_of_task), 1);
}

// Creates its tasks from `place` up to `end`, for the array's current owner. Returns the first of
// these.
StoredTask make_tasks(Transaction& transaction, const UnfinishedArray& array, std::uint32_t uid,
                      std::int64_t place, std::int64_t end) {
  const Note note{
      .type = "submitted", .actor_uid = uid, .detail = "array=" + std::to_string(array.id)};
  PreparedSpec spec = array.spec;
  spec.text = kSpecOfArray;
  StoredTask task;
  task.uid = uid;
  task.created_at = array.created_at;
  task.key = key_of(transaction, array, uid, place);
  TaskRow row;
  if (array.due_at && *array.due_at > transaction.now()) row.due_at = array.due_at;
  std::optional<StoredTask> first;
  for (; place < end; ++place) {
    task.id = array.id + place;
    task.array = ArrayPlace{array.id, array.task.array->index(place)};
    task.row = row;
    submit_task(transaction, task, spec, array.task.hold, note);
    if (!first) first = task;
  }
  return *std::move(first);
}

// Later commits create the rest, perhaps of another daemon.
void store_rest(Transaction& transaction, const UnfinishedArray& array) {
  Connection& db = transaction.db();
  db.run("UPDATE array_specs SET task = ?2 WHERE array_id = ?1", array.id,
         task_to_stored(array.task));
  for (const Dependency& on : array.task.spec.constraints.depends_on) {
    db.run("INSERT OR IGNORE INTO array_dependencies (on_task, array_id) VALUES (?1, ?2)",
           upstream_id(on), array.id);
  }
  transaction.add_wake(transaction.now());
}

void forget_rest(Transaction& transaction, TaskId array) {
  Connection& db = transaction.db();
  db.run("UPDATE array_specs SET task = NULL WHERE array_id = ?1", array);
  std::vector<TaskId> arrays;  // the arrays it depends on
  {
    Query rows =
        db.query("SELECT -on_task FROM array_dependencies WHERE array_id = ?1 AND on_task < 0");
    rows.bind(array);
    while (rows.step()) arrays.push_back(rows.int64(0));
  }
  if (db.run("DELETE FROM array_dependencies WHERE array_id = ?1", array) > 0) {
    transaction.add_wake(transaction.now());  // data kept for it may be pruned
  }
  for (const TaskId needed : arrays) forget_unused_array(db, needed);
}

struct MadeSoFar {
  std::uint32_t uid;
  std::int64_t made;
  std::int64_t count;
};

// The missing tasks count as failed: nobody waits for them, their room in the queue is free again,
// and dependants of the whole array do not start.
void give_up_rest(Transaction& transaction, const UnfinishedArray& array,
                  const MadeSoFar& progress) {
  Connection& db = transaction.db();
  const std::int64_t left = progress.count - progress.made;
  log::error("giving up an array: its stored submit cannot be read", {{"array", array.id},
                                                                      {"made", progress.made},
                                                                      {"count", progress.count},
                                                                      {"error", array.unreadable}});
  transaction.add_event(
      array.id, std::nullopt,
      {.type = "array_given_up",
       .detail = "array=" + std::to_string(array.id) + " made=" + std::to_string(progress.made) +
                 " count=" + std::to_string(progress.count) + " why=" + array.unreadable});
  db.run("UPDATE arrays SET made = count, ended = ended + ?2, failed = failed + ?2 WHERE id = ?1",
         array.id, left);
  forget_rest(transaction, array.id);
  Query ended = db.query("SELECT 1 FROM arrays WHERE id = ?1 AND ended = count");
  if (ended.bind(array.id).step()) transaction.add_moved(-array.id);
  forget_unused_array(db, array.id);
}

// Parses the row of array_specs for an array of this many tasks in that queue.
void read_rest(std::string_view text, const std::string& queue, std::int64_t count,
               UnfinishedArray& array) {
  try {
    array.task = task_from_stored(text);
    array.task.spec.queue = queue;
    if (!array.task.array || array.task.array->count() != count) {
      throw std::runtime_error("it belongs to another array");
    }
    array.spec = PreparedSpec(array.task.spec);
  } catch (const std::runtime_error& error) {
    array.unreadable = error.what();
  }
}

}  // namespace

StoredTask submit_array(Transaction& transaction, std::uint32_t uid, const NewTask& task,
                        const PreparedSpec& spec, std::optional<WallTime> due_at,
                        std::int64_t rows) {
  Connection& db = transaction.db();
  const UnfinishedArray array{next_id(db), task, spec, due_at, transaction.now(), ""};
  const ArrayRange& range = *task.array;
  const std::int64_t made = std::min(range.count(), tasks_of(array, rows));
  db.run(
      "INSERT INTO arrays (id, uid, queue, first_index, step, count, made, due_at_ms,"
      " created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      array.id, uid, task.spec.queue, range.first, range.step, range.count(), made, due_at,
      array.created_at);
  db.run("INSERT INTO array_specs (array_id, spec) VALUES (?1, ?2)", array.id, spec.text);
  StoredTask first = make_tasks(transaction, array, uid, 0, made);
  if (made == range.count()) return first;
  set_ids_aside(db, array.id + range.count() - 1);
  store_rest(transaction, array);
  return first;
}

std::optional<UnfinishedArray> find_unfinished(Connection& db, IdRange ids) {
  Query row = db.query(
      "SELECT a.id, s.task, a.queue, a.count, a.due_at_ms, a.created_at_ms"
      " FROM arrays a INDEXED BY arrays_unfinished LEFT JOIN array_specs s ON s.array_id = a.id"
      " WHERE a.made < a.count AND a.id BETWEEN ?1 AND ?2 ORDER BY a.id LIMIT 1");
  if (!row.bind(ids.first, ids.last).step()) return std::nullopt;
  UnfinishedArray array;
  array.id = row.int64(0);
  read_rest(row.view(1), row.text(2), row.int64(3), array);
  array.due_at = row.optional_time(4);
  array.created_at = row.time(5);
  return array;
}

bool make_more(Transaction& transaction, const UnfinishedArray& array) {
  Connection& db = transaction.db();
  MadeSoFar progress;  // progress and owner as of now
  {
    Query row = db.query("SELECT uid, made, count FROM arrays WHERE id = ?1 AND made < count");
    if (!row.bind(array.id).step()) return false;
    progress = {row.uid(0), row.int64(1), row.int64(2)};
  }
  if (!array.unreadable.empty()) {
    give_up_rest(transaction, array, progress);
    return false;
  }
  const std::int64_t end = std::min(progress.count, progress.made + tasks_of(array, kRowsAtOnce));
  make_tasks(transaction, array, progress.uid, progress.made, end);
  db.run("UPDATE arrays SET made = ?2 WHERE id = ?1", array.id, end);
  if (end == progress.count) forget_rest(transaction, array.id);
  return end < progress.count;
}

std::int64_t count_unexpanded(Connection& db, const std::string& queue) {
  Query row = db.query(
      "SELECT sum(count - made) FROM arrays INDEXED BY arrays_unfinished"
      " WHERE queue = ?1 AND made < count");
  row.bind(queue).step();
  return row.int64(0);
}

std::optional<TaskId> unfinished_dependant(Connection& db, TaskId task) {
  Query row = db.query("SELECT array_id FROM array_dependencies WHERE on_task = ?1 LIMIT 1");
  if (!row.bind(task).step()) return std::nullopt;
  return row.int64(0);
}

bool count_end(Connection& db, TaskId array, State end, int change) {
  db.run(
      "UPDATE arrays SET ended = ended + ?2, succeeded = succeeded + ?3, failed = failed + ?4"
      " WHERE id = ?1",
      array, change, end == State::succeeded ? change : 0, end == State::failed ? change : 0);
  Query row = db.query("SELECT 1 FROM arrays WHERE id = ?1 AND ended = count - ?2");
  return row.bind(array, change > 0 ? 0 : 1).step();
}

void forget_unused_array(Connection& db, TaskId array) {
  db.run(
      "DELETE FROM arrays WHERE id = ?1 AND made = count AND NOT EXISTS"
      " (SELECT 1 FROM tasks INDEXED BY tasks_of_array WHERE array_id = ?1)"
      " AND NOT EXISTS (SELECT 1 FROM array_dependencies WHERE on_task = -?1)"
      " AND NOT EXISTS (SELECT 1 FROM deliveries INDEXED BY deliveries_of_task"
      "  WHERE task_id BETWEEN ?1 AND ?1 + arrays.count - 1 AND state = 'pending')",
      array);
}

}  // namespace taskd
