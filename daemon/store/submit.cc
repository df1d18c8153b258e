#include <map>

#include "daemon/store/store_impl.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

struct Prepared {
  const NewTask* task;
  std::string spec;  // as stored
};

// What was submitted under this key before.
std::optional<SubmitResult> find_repeated(Connection& db, const SubmitRequest& request) {
  if (request.idempotency_key.empty()) return std::nullopt;
  Query row = db.query(
      "SELECT body_digest, first_task_id, task_count FROM idempotency_keys"
      " WHERE uid = ?1 AND key = ?2");
  if (!row.bind(request.actor.uid, request.idempotency_key).step()) return std::nullopt;
  if (row.text(0) != request.body_digest) return KeyReused{};
  Submitted earlier;
  earlier.repeated = true;
  for (std::int64_t i = 0; i < row.int64(2); ++i) earlier.ids.push_back(row.int64(1) + i);
  return earlier;
}

// Ids of one submit follow each other, since one thread gives them out.
void remember_key(Transaction& transaction, const SubmitRequest& request,
                  const std::vector<TaskId>& ids) {
  if (request.idempotency_key.empty()) return;
  transaction.db().run(
      "INSERT INTO idempotency_keys (uid, key, body_digest, first_task_id, task_count,"
      " created_at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
      request.actor.uid, request.idempotency_key, request.body_digest, ids.front(),
      static_cast<std::int64_t>(ids.size()), transaction.now());
}

std::optional<SubmitResult> refuse(const Transaction& transaction, const QueueTable& queues,
                                   const SubmitRequest& request) {
  for (const NewTask& task : request.tasks) {
    for (const Notify& notify : task.spec.notify) {
      if (!transaction.outbox().declares(notify.hook)) return UnknownHook{};
    }
  }
  std::map<std::string, std::int64_t> added;
  for (const NewTask& task : request.tasks) ++added[task.spec.queue];
  for (const auto& [queue, count] : added) {
    if (const auto refusal = find_refusal(queues, queue, count)) {
      return std::visit([](const auto& why) { return SubmitResult(why); }, *refusal);
    }
  }
  return std::nullopt;
}

TaskRow first_row(const NewTask& task, WallTime now) {
  TaskRow row;
  row.due_at = start_of(task, now);
  row.state = row.due_at ? State::scheduled : State::queued;
  if (task.hold) row.state = State::held;
  return row;
}

Task insert(Transaction& transaction, const SubmitRequest& request, const Prepared& prepared) {
  StoredTask task;
  task.uid = request.actor.uid;
  task.created_at = transaction.now();
  task.spec = prepared.task->spec;
  task.row = first_row(*prepared.task, transaction.now());
  transaction.insert(task, prepared.spec, {.type = "submitted", .actor_uid = request.actor.uid});
  Task stored;  // its spec is the request's
  stored.id = task.id;
  stored.uid = task.uid;
  stored.state = task.row.state;
  stored.created_at = task.created_at;
  stored.due_at = task.row.due_at;
  return stored;
}

SubmitResult submit_all(Transaction& transaction, const SubmitRequest& request,
                        const std::vector<Prepared>& tasks) {
  if (auto repeated = find_repeated(transaction.db(), request)) return *std::move(repeated);
  if (auto refused = refuse(transaction, transaction.queues(), request)) return *std::move(refused);
  Submitted submitted;
  for (const Prepared& task : tasks) {
    submitted.tasks.push_back(insert(transaction, request, task));
    submitted.ids.push_back(submitted.tasks.back().id);
  }
  remember_key(transaction, request, submitted.ids);
  return submitted;
}

}  // namespace

std::optional<WallTime> start_of(const NewTask& task, WallTime now) {
  std::optional<WallTime> due = task.run_at;
  if (task.delay_ms) due = now + *task.delay_ms;
  return due && *due > now ? due : std::nullopt;
}

std::optional<std::variant<UnknownQueue, QueueFull>> find_refusal(const QueueTable& queues,
                                                                  const std::string& queue,
                                                                  std::int64_t count) {
  if (!queues.contains(queue)) return UnknownQueue{queue};
  const QueueInfo& info = queues.info(queue);
  const std::int64_t capacity = info.settings.capacity;
  if (!info.draining && queues.waiting(queue) + count <= capacity) return std::nullopt;
  return QueueFull{queue, capacity, info.draining};
}

SubmitResult TaskStore::submit(const SubmitRequest& request) {
  if (request.tasks.empty()) return Submitted{};
  std::vector<Prepared> tasks;  // written out here, on the caller's thread: the writer is shared
  for (const NewTask& task : request.tasks) tasks.push_back({&task, spec_to_stored(task.spec)});
  SubmitResult result = impl_->write(WhenFull::refuse, [&](Transaction& transaction) {
    return submit_all(transaction, request, tasks);
  });
  if (auto* submitted = std::get_if<Submitted>(&result)) {
    for (std::size_t i = 0; i < submitted->tasks.size(); ++i) {
      submitted->tasks[i].spec = request.tasks[i].spec;
    }
  }
  return result;
}

}  // namespace taskd
