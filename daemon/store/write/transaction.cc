#include "daemon/store/write/transaction.h"

#include <algorithm>
#include <stdexcept>

#include "daemon/store/limits/arrays.h"
#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/limits/workflows.h"
#include "daemon/store/read/id_range.h"

namespace taskd {
namespace {

// Set exactly if the task failed.
std::optional<Reason> read_reason(const Query& row, int column, State state) {
  if (state != State::failed) return std::nullopt;
  return row.word(column, parse_reason, Reason::lost);
}

std::string_view to_string(BlockedOn on) {
  return on == BlockedOn::key ? "key" : "dependencies";
}

std::optional<std::string_view> word_of(std::optional<BlockedOn> on) {
  return on ? std::optional(to_string(*on)) : std::nullopt;
}

std::optional<BlockedOn> read_blocked_on(const Query& row, int column) {
  if (row.is_null(column)) return std::nullopt;
  return row.text(column) == "key" ? BlockedOn::key : BlockedOn::dependencies;
}

// Defaults are stored as NULL.
std::optional<std::string_view> policy_column(OnDependencyFailed policy) {
  return policy == OnDependencyFailed::fail ? std::nullopt
                                            : std::optional(taskd::to_string(policy));
}

bool concerns_key(State state) {
  return state == State::queued || state == State::blocked || state == State::running;
}

// Inside the writer, a row cannot have changed since it was read.
void expect_one_row(int changed, TaskId task, const char* what) {
  if (changed == 1) return;
  throw std::logic_error(std::string(what) + " of task " + std::to_string(task) + " changed " +
                         std::to_string(changed) + " rows");
}

void insert_labels(Connection& db, TaskId task, const PreparedSpec& spec) {
  for (const auto& [key, value] : spec.labels) {
    db.run("INSERT INTO task_labels (task_id, key, value) VALUES (?1, ?2, ?3)", task, key, value);
  }
}

bool has_labels(Connection& db, TaskId task, const std::map<std::string, std::string>& labels) {
  std::map<std::string, std::string> stored;
  Query rows = db.query("SELECT key, value FROM task_labels WHERE task_id = ?1");
  rows.bind(task);
  while (rows.step()) stored.emplace(rows.text(0), rows.text(1));
  return stored == labels;
}

std::optional<std::string_view> text_or_null(const std::string& text) {
  return text.empty() ? std::nullopt : std::optional<std::string_view>(text);
}

}  // namespace

PreparedSpec::PreparedSpec(const TaskSpec& spec)
    : queue(spec.queue),
      name(spec.name),
      priority(spec.priority),
      demand(demand_of(spec.constraints)),
      key(spec.constraints.key),
      unique(spec.constraints.unique),
      policy(policy_of(spec)),
      depends_on(spec.constraints.depends_on),
      on_dependency_failed(spec.constraints.on_dependency_failed),
      labels(spec.labels),
      policy_text(policy_to_stored(spec)),
      text(spec_to_stored(spec)) {}

namespace {

// Parses the columns that decide a task's start and end.
void read_decisive(std::string_view policy, StoredTask& task) {
  try {
    task.policy = policy_from_stored(policy);
  } catch (const std::runtime_error& error) {
    task.unreadable = error.what();
  }
  if (auto demand = demand_from_stored(task.stored_demand)) {
    task.demand = *std::move(demand);
  } else {
    task.unreadable = "its demand is invalid: \"" + task.stored_demand + "\"";
  }
  if (!task.unreadable.empty()) task.policy.on_lost = OnLost::fail;
}

}  // namespace

std::optional<StoredTask> load_task(Connection& db, TaskId id) {
  Query row = db.query(
      "SELECT uid, queue, name, priority, created_at_ms, demand, state, reason, attempt, tries, "
      "lost,"
      " token, due_at_ms, started_at_ms, ended_at_ms, cancel_requested_at_ms, prune_at_ms, "
      "start_failures,"
      " key_id, blocked_on, array_id, array_index, workflow_id, step, schedule_id, unique_key, "
      "policy"
      " FROM tasks WHERE id = ?1");
  if (!row.bind(id).step()) return std::nullopt;
  StoredTask task;
  task.id = id;
  task.uid = row.uid(0);
  task.queue = row.text(1);
  task.name = row.text(2);
  task.priority = row.integer(3);
  task.stored_demand = row.text(5);
  task.unique_key = row.text(25);
  read_decisive(row.view(26), task);
  task.created_at = row.time(4);
  task.row.state = row.state(6);
  task.stored_state = row.text(6);
  task.row.reason = read_reason(row, 7, task.row.state);
  task.row.attempt = row.integer(8);
  task.row.tries = row.integer(9);
  task.row.lost = row.integer(10);
  if (task.row.state == State::running && !row.is_null(11)) task.row.token = row.text(11);
  task.row.due_at = row.optional_time(12);
  task.row.started_at = row.optional_time(13);
  task.row.ended_at = row.optional_time(14);
  task.row.cancel_requested_at = row.optional_time(15);
  task.row.prune_at = row.optional_time(16);
  task.row.start_failures = row.integer(17);
  if (!row.is_null(18)) task.key = row.int64(18);
  task.row.blocked_on = read_blocked_on(row, 19);
  if (!row.is_null(20)) task.array = ArrayPlace{row.int64(20), row.int64(21)};
  if (!row.is_null(22)) task.workflow = WorkflowPlace{row.int64(22), row.text(23)};
  if (!row.is_null(24)) task.schedule = row.int64(24);
  return task;
}

std::optional<std::string> stored_spec(Connection& db, const StoredTask& task) {
  Query row = db.query(
      "SELECT coalesce((SELECT spec FROM task_specs WHERE task_id = ?1),"
      " (SELECT spec FROM array_specs WHERE array_id = ?2))");
  row.bind(task.id, task.array ? std::optional(task.array->array) : std::nullopt).step();
  if (row.is_null(0)) return std::nullopt;
  return row.text(0);
}

StoredTask must_load(Connection& db, TaskId id) {
  if (auto task = load_task(db, id)) return *std::move(task);
  throw std::logic_error("task " + std::to_string(id) + " is listed but has no row");
}

std::optional<std::string> Transaction::spec_text(const StoredTask& task) {
  const auto lent = std::ranges::lower_bound(lent_specs_, task.id, {}, &LentSpec::task);
  if (lent != lent_specs_.end() && lent->task == task.id) return *lent->text;
  return stored_spec(db_, task);
}

void Transaction::insert(StoredTask& task, const PreparedSpec& spec, const Note& note) {
  task.queue = spec.queue;
  task.name = spec.name;
  task.priority = spec.priority;
  task.demand = spec.demand;
  task.stored_demand = to_stored(spec.demand);
  task.stored_state = to_string(task.row.state);
  task.unique_key = spec.unique.key;
  task.policy = spec.policy;
  Query row = db_.query(
      "INSERT INTO tasks (uid, queue, name, priority, state, created_at_ms, due_at_ms, schedule_id,"
      " key_id, blocked_on, demand, unique_key, array_id, array_index, workflow_id, step, id,"
      " on_dependency_failed, policy) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, "
      "?13,"
      " ?14, ?15, ?16, ?17, ?18, ?19)");
  row.bind(task.uid, spec.queue, spec.name, spec.priority, task.row.state, task.created_at,
           task.row.due_at, task.schedule, task.key, word_of(task.row.blocked_on),
           task.stored_demand, text_or_null(spec.unique.key),
           task.array ? std::optional(task.array->array) : std::nullopt,
           task.array ? std::optional(task.array->index) : std::nullopt,
           task.workflow ? std::optional(task.workflow->id) : std::nullopt,
           task.workflow ? std::optional(task.workflow->step) : std::nullopt,
           task.id != 0 ? std::optional(task.id) : std::nullopt,
           policy_column(spec.on_dependency_failed), spec.policy_text);
  row.run();
  task.id = db_.last_id();
  check_order(task);
  if (!spec.text.empty()) {
    db_.run("INSERT INTO task_specs (task_id, spec) VALUES (?1, ?2)", task.id, spec.text);
  }
  bytes_ += std::ssize(spec.text);
  insert_labels(db_, task.id, spec);
  queues_.add(spec.queue, task.row.state, 1);
  if (task.row.state == State::queued) add_ready(task);
  if (task.key && concerns_key(task.row.state)) touch_key(*task.key);
  add_event(task.id, std::nullopt, note, std::nullopt, task.row.state);
  add_change(task, notify(task, HookEvent::submitted));
}

// Later tasks of one submit have the same time; later tasks of an array have the time of its first.
void Transaction::check_order(const StoredTask& task) {
  if (order_checked_ || task.created_at != now_) return;
  note_clock_step(db_, task.id, task.created_at);
  order_checked_ = true;
}

void Transaction::transition(StoredTask& task, Event event, TaskRow after, const Note& note) {
  const TaskRow before = task.row;
  const std::optional<State> to = next_state(before.state, event);
  if (!to) {
    throw std::logic_error("task " + std::to_string(task.id) + " is " +
                           std::string(to_string(before.state)) + ": no " +
                           std::string(to_string(event)) + " from there");
  }
  after.state = *to;
  if (after.state != State::blocked) after.blocked_on = std::nullopt;
  update(task, after);
  queues_.add(task.queue, before.state, -1);
  queues_.add(task.queue, after.state, 1);
  if (before.state == State::queued) remove_ready(task);
  if (after.state == State::queued) add_ready(task);
  if (task.key && (concerns_key(before.state) || concerns_key(after.state))) touch_key(*task.key);
  if (is_end(before.state) || is_end(after.state)) add_moved(task.id);
  if (task.array) count_in_array(task.array->array, before.state, after.state);
  add_event(task.id, std::max(before.attempt, after.attempt), note, before.state, after.state);
  const auto told = event_to_notify(before.state, after.state, after.tries > before.tries,
                                    after.lost > before.lost);
  add_change(task, told ? notify(task, *told) : 0);
  changes_.back().gave_way = before.state == State::queued && after.state != State::running;
}

void Transaction::count_in_array(TaskId array, State before, State after) {
  const bool goes_on = is_end(before) && count_end(db_, array, before, -1);
  const bool is_over = is_end(after) && count_end(db_, array, after, 1);
  if (goes_on || is_over) add_moved(-array);
}

void Transaction::amend(StoredTask& task, const TaskRow& after, const Note& note) {
  if (after.state != task.row.state) throw std::logic_error("amend() cannot change a state");
  update(task, after);
  add_event(task.id, after.attempt, note, after.state, after.state);
  add_change(task);
}

void Transaction::update(StoredTask& task, const TaskRow& after) {
  const TaskRow& before = task.row;
  const int changed = db_.run(
      "UPDATE tasks SET state = ?5, reason = ?6, attempt = ?7, tries = ?8, lost = ?9, token = ?10,"
      " due_at_ms = ?11, started_at_ms = ?12, ended_at_ms = ?13, cancel_requested_at_ms = ?14,"
      " prune_at_ms = ?15, start_failures = ?16, blocked_on = ?17"
      " WHERE id = ?1 AND state = ?2 AND attempt = ?3 AND (state <> 'running' OR token IS ?4)",
      task.id, task.stored_state, before.attempt, before.token, after.state, after.reason,
      after.attempt, after.tries, after.lost, after.token, after.due_at, after.started_at,
      after.ended_at, after.cancel_requested_at, after.prune_at, after.start_failures,
      word_of(after.blocked_on));
  expect_one_row(changed, task.id, "an UPDATE");
  task.row = after;
  task.stored_state = to_string(after.state);
}

void Transaction::respec(StoredTask& task, const PreparedSpec& spec, bool new_key) {
  if (task.row.state == State::running) throw std::logic_error("a running task keeps its spec");
  keep_delivery_spec(db_, task.id);
  lent_specs_.clear();
  const std::string demand = to_stored(spec.demand);
  const std::optional<std::int64_t> old_key = task.key;
  if (new_key) task.key = find_key(*this, task.uid, spec.key);
  expect_one_row(
      db_.run("UPDATE tasks SET queue = ?4, name = ?5, priority = ?6, demand = ?7, key_id = ?8,"
              " on_dependency_failed = ?9, policy = ?10"
              " WHERE id = ?1 AND state = ?2 AND attempt = ?3",
              task.id, task.stored_state, task.row.attempt, spec.queue, spec.name, spec.priority,
              demand, task.key, policy_column(spec.on_dependency_failed), spec.policy_text),
      task.id, "an UPDATE");
  expect_one_row(db_.run("INSERT INTO task_specs (task_id, spec) VALUES (?1, ?2)"
                         " ON CONFLICT (task_id) DO UPDATE SET spec = excluded.spec",
                         task.id, spec.text),
                 task.id, "an UPDATE of the spec");
  if (!has_labels(db_, task.id, spec.labels)) {
    db_.run("DELETE FROM task_labels WHERE task_id = ?1", task.id);
    insert_labels(db_, task.id, spec);
  }
  count_queue(task, spec.queue);
  for (const auto& key : {old_key, task.key}) {
    if (key && concerns_key(task.row.state)) touch_key(*key);
  }
  if (old_key && old_key != task.key) forget_unused_key(db_, *old_key);
  const bool is_queued = task.row.state == State::queued;
  if (is_queued) remove_ready(task);
  task.queue = spec.queue;
  task.name = spec.name;
  task.priority = spec.priority;
  task.demand = spec.demand;
  task.stored_demand = demand;
  task.policy = spec.policy;
  if (is_queued) add_ready(task);
}

void Transaction::requeue(StoredTask& task, const std::string& queue) {
  if (task.row.state == State::running) throw std::logic_error("a running task keeps its queue");
  expect_one_row(
      db_.run("UPDATE tasks SET queue = ?4 WHERE id = ?1 AND state = ?2 AND attempt = ?3", task.id,
              task.stored_state, task.row.attempt, queue),
      task.id, "an UPDATE");
  count_queue(task, queue);
  if (task.key && concerns_key(task.row.state)) touch_key(*task.key);
  const bool is_queued = task.row.state == State::queued;
  if (is_queued) remove_ready(task);
  task.queue = queue;
  if (is_queued) add_ready(task);
}

void Transaction::count_queue(const StoredTask& task, const std::string& to) {
  queues_.add(task.queue, task.row.state, -1);
  queues_.add(to, task.row.state, 1);
}

void Transaction::add_ready(const StoredTask& task) {
  queues_.lines().enter(task.queue, task.stored_demand, task.demand, task.priority, task.id);
}

void Transaction::remove_ready(const StoredTask& task) {
  queues_.lines().leave(task.queue, task.stored_demand, task.id);
}

void Transaction::remove(const StoredTask& task, const Note& note) {
  keep_spec_of_removed(db_, task.id);
  const int changed = db_.run("DELETE FROM tasks WHERE id = ?1 AND state = ?2 AND attempt = ?3",
                              task.id, task.stored_state, task.row.attempt);
  expect_one_row(changed, task.id, "a DELETE");
  db_.run("DELETE FROM deliveries WHERE task_id = ?1 AND state <> 'pending'", task.id);
  if (task.key) forget_unused_key(db_, *task.key);
  if (task.workflow) forget_unused_workflow(db_, task.workflow->id);
  if (task.array) forget_unused_array(db_, task.array->array);
  queues_.add(task.queue, task.row.state, -1);
  add_event(task.id, task.row.attempt, note, task.row.state);
}

void Transaction::add_event(std::optional<TaskId> task, std::optional<int> attempt,
                            const Note& note, std::optional<State> from, std::optional<State> to) {
  const std::optional<std::string_view> detail =
      note.detail.empty() ? std::nullopt : std::optional<std::string_view>(note.detail);
  db_.run(
      "INSERT INTO events (at_ms, generation, task_id, attempt, type, from_state, to_state,"
      " actor_uid, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
      now_, generation_, task, attempt, note.type, from, to, note.actor_uid, detail);
}

std::uint64_t Transaction::notify(const StoredTask& task, HookEvent event) {
  const std::vector<Notify>& queue = queues_.info(task.queue).settings.notify;
  if (task.policy.notify.empty() && queue.empty()) return 0;
  return outbox_.notify(db_, now_, task, event, queue);
}

void Transaction::add_change(const StoredTask& task, std::uint64_t hooks) {
  Change change;
  change.hooks = hooks;
  change.task = task.id;
  change.to = task.row.state;
  if (task.row.state == State::running) {
    change.cancel_requested = task.row.cancel_requested_at.has_value();
  } else if (task.row.state == State::scheduled) {
    change.act_at = task.row.due_at;
  } else if (is_end(task.row.state)) {
    change.act_at = task.row.prune_at;
  }
  changes_.push_back(change);
}

std::vector<std::int64_t> Transaction::take_touched_keys() {
  std::sort(touched_keys_.begin(), touched_keys_.end());
  touched_keys_.erase(std::unique(touched_keys_.begin(), touched_keys_.end()), touched_keys_.end());
  return std::exchange(touched_keys_, {});
}

std::vector<Transaction::Moved> Transaction::take_moved() {
  std::vector<Moved> moved = std::exchange(moved_, {});
  std::sort(moved.begin(), moved.end(), [](const Moved& a, const Moved& b) {
    return std::pair(a.task, a.after) < std::pair(b.task, b.after);
  });
  const auto same = [](const Moved& a, const Moved& b) { return a.task == b.task; };
  moved.erase(std::unique(moved.begin(), moved.end(), same), moved.end());
  return moved;
}

void Transaction::begin_command() {
  queues_.begin_command();
  link_work_left_ = kLinkWork;
  command_begin_ = changes_.size();
}

void Transaction::undo_command() {
  queues_.undo();
  order_checked_ = false;
  touched_keys_.clear();
  moved_.clear();
  lent_specs_.clear();  // their ids may be assigned again
  changes_.resize(command_begin_);
}

}  // namespace taskd
