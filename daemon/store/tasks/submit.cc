#include <algorithm>
#include <map>
#include <sstream>
#include <stdexcept>

#include "daemon/store/limits/arrays.h"
#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/limits/workflows.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

struct Prepared {
  const NewTask* task;
  PreparedSpec spec;
  std::optional<TaskId> existing = {};  // the existing task with the same unique key
};

std::vector<TaskId> read_ids(const std::string& text) {
  std::istringstream words(text);
  std::vector<TaskId> ids;
  for (TaskId id = 0; words >> id;) ids.push_back(id);
  return ids;
}

// Returns nothing if the ids are consecutive, as in a commit with a single submit.
std::optional<std::string> write_ids(const std::vector<TaskId>& ids) {
  std::string text;
  bool follow = true;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    follow &= ids[i] == ids[0] + static_cast<TaskId>(i);
    text += (i == 0 ? "" : " ") + std::to_string(ids[i]);
  }
  return follow ? std::nullopt : std::optional(text);
}

// The earlier submit under this key.
std::optional<SubmitResult> find_repeated(Connection& db, const SubmitRequest& request) {
  if (request.idempotency_key.empty()) return std::nullopt;
  Query row = db.query(
      "SELECT request_digest, first_task_id, task_count, task_ids, workflow_id FROM "
      "idempotency_keys"
      " WHERE uid = ?1 AND key = ?2");
  if (!row.bind(request.actor.uid, request.idempotency_key).step()) return std::nullopt;
  if (row.is_null(1) || row.text(0) != request.request_digest) return KeyReused{};
  Submitted earlier;
  earlier.repeated = true;
  earlier.workflow = row.is_null(4) ? 0 : row.int64(4);
  if (!row.is_null(3)) {
    earlier.ids = read_ids(row.text(3));
  } else {
    for (std::int64_t i = 0; i < row.int64(2); ++i) earlier.ids.push_back(row.int64(1) + i);
  }
  return earlier;
}

void remember_key(Transaction& transaction, const SubmitRequest& request,
                  const Submitted& submitted) {
  const std::vector<TaskId>& ids = submitted.ids;
  if (request.idempotency_key.empty()) return;
  transaction.db().run(
      "INSERT INTO idempotency_keys (uid, key, request_digest, first_task_id, task_count,"
      " created_at_ms, task_ids, workflow_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
      request.actor.uid, request.idempotency_key, request.request_digest, ids.front(),
      static_cast<std::int64_t>(ids.size()), transaction.now(), write_ids(ids),
      request.workflow ? std::optional(submitted.workflow) : std::nullopt);
}

std::optional<SubmitResult> refuse(Transaction& transaction, const SubmitRequest& request,
                                   const std::vector<Prepared>& tasks) {
  for (const Prepared& one : tasks) {
    for (const Notify& notify : one.spec.policy.notify) {
      if (!transaction.outbox().declares(notify.hook)) return UnknownHook{};
    }
  }
  std::map<std::string, std::int64_t> added;
  for (const Prepared& one : tasks) {
    if (!one.existing) added[one.spec.queue] += one.task->array ? one.task->array->count() : 1;
  }
  for (const auto& [queue, count] : added) {
    if (const auto refusal = find_refusal(transaction, queue, count)) {
      return std::visit([](const auto& why) { return SubmitResult(why); }, *refusal);
    }
  }
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const auto& depends_on = tasks[i].spec.depends_on;
    if (const auto task = find_unknown_dependency(transaction.db(), request.actor, depends_on)) {
      return UnknownDependency{i, *task};
    }
  }
  return std::nullopt;
}

// Approximate total for all arrays of a submit, since a long commit delays everybody.
constexpr std::int64_t kRowsWithSubmit = 1000;

StoredTask submit_single(Transaction& transaction, const SubmitRequest& request,
                         const Prepared& prepared, const std::optional<WorkflowPlace>& workflow) {
  StoredTask task;
  task.uid = request.actor.uid;
  task.created_at = transaction.now();
  task.row.due_at = start_of(*prepared.task, transaction.now());
  task.workflow = workflow;
  submit_task(transaction, task, prepared.spec, prepared.task->hold,
              {.type = "submitted", .actor_uid = request.actor.uid});
  transaction.lend_spec(task.id, prepared.spec.text);  // its caller waits for the commit
  return task;
}

Task insert(Transaction& transaction, const SubmitRequest& request, const Prepared& prepared,
            const std::optional<WorkflowPlace>& workflow) {
  const auto share = kRowsWithSubmit / static_cast<std::int64_t>(request.tasks.size());
  const StoredTask task =
      prepared.task->array
          ? submit_array(transaction, request.actor.uid, *prepared.task, prepared.spec,
                         start_of(*prepared.task, transaction.now()), share)
          : submit_single(transaction, request, prepared, workflow);
  Task stored;
  stored.array = task.array;
  stored.workflow = task.workflow;
  stored.id = task.id;
  stored.uid = task.uid;
  stored.state = task.row.state;
  stored.created_at = task.created_at;
  stored.due_at = task.row.due_at;
  return stored;
}

void add_one(Transaction& transaction, const SubmitRequest& request, const Prepared& prepared,
             const std::optional<WorkflowPlace>& workflow, Submitted& submitted) {
  // Checked again: this very submit may have created it.
  const auto existing = find_unique(transaction, request.actor.uid, prepared.spec.unique);
  submitted.existing.push_back(existing.has_value());
  submitted.any_existing |= existing.has_value();
  if (!existing) submitted.tasks.push_back(insert(transaction, request, prepared, workflow));
  submitted.ids.push_back(existing ? *existing : submitted.tasks.back().id);
}

// Its needs become dependencies, now that the steps before it have ids; the stored spec stays the
// same.
void add_step(Transaction& transaction, const SubmitRequest& request, const StepOf& step,
              Prepared& prepared, Submitted& submitted) {
  for (const StepNeed& need : step.needs) {
    prepared.spec.depends_on.push_back({submitted.ids.at(need.step), need.on});
  }
  add_one(transaction, request, prepared, WorkflowPlace{submitted.workflow, step.name}, submitted);
}

SubmitResult submit_all(Transaction& transaction, const SubmitRequest& request,
                        std::vector<Prepared>& tasks) {
  if (auto repeated = find_repeated(transaction.db(), request)) return *std::move(repeated);
  for (Prepared& one : tasks) {
    one.existing = find_unique(transaction, request.actor.uid, one.spec.unique);
  }
  if (auto refused = refuse(transaction, request, tasks)) return *std::move(refused);
  Submitted submitted;
  if (request.workflow) {
    submitted.workflow = insert_workflow(transaction, request.actor.uid, *request.workflow);
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      add_step(transaction, request, request.steps[i], tasks[i], submitted);
    }
  } else {
    for (const Prepared& task : tasks) add_one(transaction, request, task, {}, submitted);
  }
  remember_key(transaction, request, submitted);
  return submitted;
}

// Whether a dependency, a key or neither blocks a due task.
std::optional<BlockedOn> find_block(Transaction& transaction, const StoredTask& task,
                                    const PreparedSpec& spec) {
  if (has_open_links(transaction.db(), spec.depends_on, spec.on_dependency_failed)) {
    return BlockedOn::dependencies;
  }
  const bool waits =
      task.key && !task.row.due_at && !has_key_room(transaction, *task.key, spec.queue);
  return waits ? std::optional(BlockedOn::key) : std::nullopt;
}

}  // namespace

std::optional<WallTime> start_of(const NewTask& task, WallTime now) {
  std::optional<WallTime> due = task.run_at;
  if (task.delay_ms) due = now + *task.delay_ms;
  return due && *due > now ? due : std::nullopt;
}

std::optional<TaskId> find_unique(Transaction& transaction, std::uint32_t uid,
                                  const Unique& unique) {
  if (unique.key.empty()) return std::nullopt;
  const std::int64_t since_ms =
      unique.for_ms > 0 ? transaction.now().ms - unique.for_ms : std::int64_t{-1};
  if (!unique.while_state && unique.for_ms > 0) {
    // Only the latest: all others are older.
    Query row = transaction.db().query(
        "SELECT id, created_at_ms FROM tasks INDEXED BY tasks_unique WHERE uid = ?1"
        " AND unique_key = ?2 ORDER BY id DESC LIMIT 1");
    const bool found = row.bind(uid, unique.key).step() && row.int64(1) > since_ms;
    return found ? std::optional(row.int64(0)) : std::nullopt;
  }
  const bool may_run = unique.while_state != UniqueWhile::queued;
  Query row = transaction.db().query(
      "SELECT id FROM tasks INDEXED BY tasks_unique_active WHERE uid = ?1"
      " AND unique_key = ?2 AND ended_at_ms IS NULL AND created_at_ms > ?3"
      " AND (?4 OR state <> 'running') ORDER BY id DESC LIMIT 1");
  if (!row.bind(uid, unique.key, since_ms, may_run ? 1 : 0).step()) return std::nullopt;
  return row.int64(0);
}

std::optional<TaskId> find_active_duplicate(Connection& db, TaskId task, std::uint32_t uid,
                                            const std::string& unique_key) {
  if (unique_key.empty()) return std::nullopt;
  Query row = db.query(
      "SELECT id FROM tasks INDEXED BY tasks_unique_active WHERE uid = ?1 AND unique_key = ?2"
      " AND ended_at_ms IS NULL AND id <> ?3 LIMIT 1");
  if (!row.bind(uid, unique_key, task).step()) return std::nullopt;
  return row.int64(0);
}

void submit_task(Transaction& transaction, StoredTask& task, const PreparedSpec& spec, bool hold,
                 const Note& note) {
  if (!task.key) task.key = find_key(transaction, task.uid, spec.key);
  task.row.blocked_on = find_block(transaction, task, spec);
  task.row.state = task.row.due_at ? State::scheduled : State::queued;
  if (task.row.blocked_on) task.row.state = State::blocked;
  if (hold) {
    task.row.state = State::held;
    task.row.blocked_on = std::nullopt;
  }
  transaction.insert(task, spec, note);
  insert_dependencies(transaction, task.id, spec);
}

void propagate(Transaction& transaction) {
  propagate_dependencies(transaction);
  propagate_keys(transaction);
}

std::int64_t room_in(Connection& db, const QueueInfo& queue) {
  if (queue.draining) return 0;
  const std::int64_t there = queue.waiting() + count_unexpanded(db, queue.settings.name);
  return std::max<std::int64_t>(queue.settings.capacity - there, 0);
}

std::optional<QueueRefusal> find_refusal(Connection& db, const std::string& name,
                                         const QueueInfo* queue, std::int64_t count) {
  if (queue == nullptr) return UnknownQueue{name};
  if (count <= room_in(db, *queue)) return std::nullopt;
  return QueueFull{name, queue->settings.capacity, queue->draining, count};
}

std::optional<QueueRefusal> find_refusal(Transaction& transaction, const std::string& queue,
                                         std::int64_t count) {
  const QueueTable& queues = transaction.queues();
  return find_refusal(transaction.db(), queue,
                      queues.contains(queue) ? &queues.info(queue) : nullptr, count);
}

SubmitResult StoreTasks::submit(const SubmitRequest& request) {
  if (request.tasks.empty()) return Submitted{};
  std::vector<Prepared> tasks;  // encoded here, on the caller's thread, since the writer is shared
  for (const NewTask& task : request.tasks) tasks.push_back({&task, PreparedSpec(task.spec)});
  SubmitResult result = impl_->write(
      WhenFull::refuse, request.actor,
      [&](Transaction& transaction) { return submit_all(transaction, request, tasks); });
  const bool has_arrays = std::any_of(request.tasks.begin(), request.tasks.end(),
                                      [](const NewTask& task) { return task.array.has_value(); });
  const auto* submitted = std::get_if<Submitted>(&result);
  if (!has_arrays || submitted == nullptr) return result;
  try {
    for (const TaskId id : submitted->ids) impl_->make_whole({id, id});
  } catch (const StoreUnavailable&) {
    // The array's submit is stored; the timer thread creates the tasks once possible.
  }
  return result;
}

void StoreImpl::make_whole(IdRange ids) {
  for (;;) {
    const auto array = read([&](Connection& db) { return find_unfinished(db, ids); });
    if (!array) return;
    for (bool more = true; more;) {
      const Turns::Turn turn(array_turns);
      more = write(WhenFull::refuse,
                   [&](Transaction& transaction) { return make_more(transaction, *array); });
    }
    if (array->unreadable.empty()) continue;
    throw std::runtime_error("array " + std::to_string(array->id) +
                             " is given up: " + array->unreadable);
  }
}

}  // namespace taskd
