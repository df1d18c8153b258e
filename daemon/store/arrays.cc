#include "daemon/store/arrays.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/store/dependencies.h"
#include "daemon/store/keys.h"
#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

constexpr std::int64_t kRowsAtOnce = 1000;

struct Array {
  TaskId id = 0;
  std::uint32_t uid = 0;
  NewTask task;  // as it was submitted
  std::optional<WallTime> due_at;
  WallTime created_at;
};

TaskId next_id(Connection& db) {
  Query row = db.query("SELECT seq FROM sqlite_sequence WHERE name = 'tasks'");
  return (row.step() ? row.int64(0) : 0) + 1;
}

// No other task gets an id up to this one.
void set_ids_aside(Connection& db, TaskId last) {
  db.run("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'tasks' AND seq < ?1", last);
}

// The key that its tasks share, be it named or for a limit of its own, which no submit can name.
// The first task sets the key's limits; what somebody made of them meanwhile stays.
std::optional<std::int64_t> key_of(Transaction& transaction, const Array& array,
                                   std::int64_t place) {
  KeyUse key = array.task.spec.flow.key;
  if (const int at_once = array.task.array->at_once; at_once > 0) {
    key = {std::string(kArrayKey) + std::to_string(array.id), at_once, std::nullopt};
  }
  if (place > 0 && is_key(transaction.db(), array.uid, key.name)) {
    key.limit = std::nullopt;
    key.rate = std::nullopt;
  }
  return find_key(transaction, array.uid, key);
}

// Of its tasks that are not made yet, as far as it can be told.
State first_state(const Array& array) {
  if (array.task.hold) return State::held;
  if (!array.task.spec.flow.depends_on.empty()) return State::blocked;
  return array.due_at ? State::scheduled : State::queued;
}

// How many tasks `rows` are, each with its dependencies; at least one.
std::int64_t tasks_of(const NewTask& task, std::int64_t rows) {
  return std::max<std::int64_t>(rows / (1 + std::ssize(task.spec.flow.depends_on)), 1);
}

StoredTask make_task(Transaction& transaction, const Array& array, std::int64_t place) {
  StoredTask task;
  task.id = array.id + place;
  task.uid = array.uid;
  task.array = ArrayPlace{array.id, array.task.array->index(place)};
  task.created_at = array.created_at;
  task.spec = array.task.spec;
  task.key = key_of(transaction, array, place);
  const bool is_due = array.due_at && *array.due_at <= transaction.now();
  if (!is_due) task.row.due_at = array.due_at;
  submit_task(
      transaction, task, spec_to_stored(task.spec), array.task.hold,
      {.type = "submitted", .actor_uid = array.uid, .detail = "array=" + std::to_string(array.id)});
  return task;
}

Array read_array(const Query& row) {
  Array array;
  array.id = row.int64(0);
  array.uid = row.uid(1);
  const auto json = nlohmann::json::parse(row.text(3), nullptr, /*allow_exceptions=*/false);
  auto task = new_task_from_json(json);
  if (!std::holds_alternative<NewTask>(task) || !std::get<NewTask>(task).array) {
    throw std::runtime_error("the database holds an unreadable array");
  }
  array.task = std::get<NewTask>(std::move(task));
  array.due_at = row.optional_time(4);
  array.created_at = row.time(5);
  return array;
}

bool has_array(Connection& db, TaskId first, TaskId last) {
  Query row = db.query("SELECT 1 FROM arrays_to_expand WHERE array_id BETWEEN ?1 AND ?2 LIMIT 1");
  return row.bind(first, last).step();
}

}  // namespace

void settle_unmade(Connection& db, TaskId task) {
  std::vector<std::pair<TaskId, std::string>> settled;
  {
    Query rows = db.query(
        "SELECT array_id, uid, next, task, due_at_ms, created_at_ms FROM arrays_to_expand"
        " WHERE json_array_length(task, '$.depends_on') > 0");
    while (rows.step()) {
      Array array = read_array(rows);
      TaskFlow& flow = array.task.spec.flow;
      const auto met = [&](const Dependency& dependency) {
        if (dependency.task != task) return false;
        TaskFlow alone;
        alone.depends_on = {dependency};
        alone.on_dependency_failed = flow.on_dependency_failed;
        return !has_open_links(db, alone);
      };
      const bool concerns = std::any_of(flow.depends_on.begin(), flow.depends_on.end(),
                                        [&](const auto& one) { return one.task == task; });
      if (!concerns) continue;
      std::erase_if(flow.depends_on, met);
      // What is broken must stay so, and a task that is gone has not succeeded. That would be a
      // failure; where it was none, the rest of the array is not needed and to be cancelled.
      for (Dependency& one : flow.depends_on) {
        if (one.task != task) continue;
        if (one.on == DependencyOn::failed || is_unneeded(db, task)) {
          flow.on_dependency_failed = OnDependencyFailed::cancel;
        }
        one.on = DependencyOn::ok;
      }
      settled.emplace_back(array.id, to_json(array.task).dump());
    }
  }
  for (const auto& [array, json] : settled) {
    db.run("UPDATE arrays_to_expand SET task = ?2 WHERE array_id = ?1", array, json);
  }
}

StoredTask submit_array(Transaction& transaction, std::uint32_t uid, const NewTask& task,
                        std::optional<WallTime> due_at, std::int64_t rows) {
  Connection& db = transaction.db();
  const Array array{next_id(db), uid, task, due_at, transaction.now()};
  const std::int64_t count = task.array->count();
  const std::int64_t made = std::min(count, tasks_of(task, rows));
  StoredTask first = make_task(transaction, array, 0);
  for (std::int64_t place = 1; place < made; ++place) make_task(transaction, array, place);
  if (made == count) return first;
  set_ids_aside(db, array.id + count - 1);
  db.run(
      "INSERT INTO arrays_to_expand"
      " (array_id, uid, next, task, due_at_ms, created_at_ms, queue, count)"
      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
      array.id, uid, made, to_json(task).dump(), due_at, array.created_at, task.spec.queue, count);
  transaction.add_wake(transaction.now());
  return first;
}

bool expand_arrays(Transaction& transaction, ArrayTurns& turns) {
  Connection& db = transaction.db();
  if (!has_array(db, turns.latest + 1, turns.round_end)) {
    Query row = db.query("SELECT coalesce(max(array_id), 0) FROM arrays_to_expand");
    turns = {0, row.step() ? row.int64(0) : 0};
  }
  std::optional<Array> array;
  std::int64_t place = 0;
  {
    Query row = db.query(
        "SELECT array_id, uid, next, task, due_at_ms, created_at_ms FROM arrays_to_expand"
        " WHERE array_id > ?1 ORDER BY array_id LIMIT 1");
    if (!row.bind(turns.latest).step()) return false;
    array = read_array(row);
    place = row.int64(2);
  }
  turns.latest = array->id;
  const std::int64_t count = array->task.array->count();
  const std::int64_t end = std::min(count, place + tasks_of(array->task, kRowsAtOnce));
  for (; place < end; ++place) make_task(transaction, *array, place);
  if (end == count) {
    end_array(db, array->id);
  } else {
    db.run("UPDATE arrays_to_expand SET next = ?2 WHERE array_id = ?1", array->id, end);
  }
  return true;
}

std::vector<Unmade> unmade_arrays(Connection& db) {
  std::vector<Unmade> all;
  Query rows = db.query(
      "SELECT array_id, uid, next, task, due_at_ms, created_at_ms FROM arrays_to_expand"
      " ORDER BY array_id");
  while (rows.step()) {
    Array array = read_array(rows);
    Unmade unmade;
    unmade.count = array.task.array->count() - rows.int64(2);
    unmade.task.uid = array.uid;
    unmade.task.array = ArrayPlace{array.id, 0};
    unmade.task.created_at = array.created_at;
    unmade.task.row.state = first_state(array);
    unmade.task.spec = std::move(array.task.spec);
    all.push_back(std::move(unmade));
  }
  return all;
}

bool has_unmade(Connection& db) {
  return db.query("SELECT 1 FROM arrays_to_expand LIMIT 1").step();
}

void hold_unmade(Connection& db, TaskId array, bool hold) {
  db.run(
      "UPDATE arrays_to_expand SET task = json_set(task, '$.hold', json(?2)) WHERE array_id = ?1",
      array, std::string_view(hold ? "true" : "false"));
}

void move_unmade(Connection& db, TaskId array, const std::string& queue) {
  db.run(
      "UPDATE arrays_to_expand SET queue = ?2, task = json_set(task, '$.queue', ?2)"
      " WHERE array_id = ?1",
      array, queue);
}

std::int64_t count_unmade(Connection& db, const std::string& queue) {
  Query row = db.query(
      "SELECT sum(count - next) FROM arrays_to_expand INDEXED BY arrays_of_queue WHERE queue = ?1");
  row.bind(queue).step();
  return row.int64(0);
}

void end_array(Connection& db, TaskId array) {
  db.run("DELETE FROM arrays_to_expand WHERE array_id = ?1", array);
}

}  // namespace taskd
