#include "daemon/store/write/idempotent_request.h"

#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

// The request of this thread; set and read by this thread only.
thread_local IdempotentRequest* current_request = nullptr;

}  // namespace

IdempotentRequest::IdempotentRequest(TaskStore& store, RequestKey key) : store_(store), key_(std::move(key)) {
  StoreImpl& impl = *store_.impl_;
  {
    const MutexLock lock(impl.keyed_mutex);
    if (!impl.keyed.emplace(key_.uid, key_.key).second) throw InProgress{};
  }
  try {
    impl.read([&](Connection& db) {
      Query row = db.query(
          "SELECT request_digest, first_task_id, answer, finished FROM idempotency_keys"
          " WHERE uid = ?1 AND key = ?2");
      if (!row.bind(key_.uid, key_.key).step()) return;
      const bool is_same = row.text(0) == key_.digest;
      if (is_same && row.int64(3) == 0) {
        is_recorded_ = true;  // continues the earlier request
        return;
      }
      earlier_.emplace();
      earlier_->is_same = is_same;
      if (!row.is_null(1)) earlier_->task = row.int64(1);
      if (!row.is_null(2)) earlier_->answer = row.text(2);
    });
  } catch (...) {
    const MutexLock lock(impl.keyed_mutex);
    impl.keyed.erase({key_.uid, key_.key});
    throw;
  }
  current_request = this;
}

IdempotentRequest::~IdempotentRequest() {
  current_request = nullptr;
  StoreImpl& impl = *store_.impl_;
  const MutexLock lock(impl.keyed_mutex);
  impl.keyed.erase({key_.uid, key_.key});
}

IdempotentRequest* IdempotentRequest::current() {
  return current_request;
}

void IdempotentRequest::record(Transaction& transaction, std::size_t first_change) {
  recording_ = false;
  if (is_recorded_) return;
  std::optional<TaskId> task;
  for (std::size_t i = first_change; i < transaction.changes().size() && !task; ++i) {
    if (transaction.changes()[i].task != 0) task = transaction.changes()[i].task;
  }
  insert(transaction, task, key_.in_one_commit, std::nullopt);
  recording_ = true;
}

void IdempotentRequest::insert(Transaction& transaction, std::optional<TaskId> task, bool finished,
                          const std::optional<std::string>& answer) const {
  const int added = transaction.db().run(
      "INSERT INTO idempotency_keys (uid, key, request_digest, first_task_id, created_at_ms, "
      "answer,"
      " finished) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
      key_.uid, key_.key, key_.digest, task, transaction.now(), answer, finished ? 1 : 0);
  if (added == 0) throw InProgress{};  // a submit with the key came first
}

void IdempotentRequest::finish(const std::optional<std::string>& answer) {
  if (is_recorded_ && key_.in_one_commit && !answer) return;
  current_request = nullptr;  // what follows concerns only the key
  store_.impl_->write_for(WhenFull::use_ballast, key_.uid, [&](Transaction& transaction) {
    if (!is_recorded_) {
      insert(transaction, std::nullopt, /*finished=*/true, answer);
      return true;
    }
    transaction.db().run(
        "UPDATE idempotency_keys SET finished = 1, answer = ?3 WHERE uid = ?1 AND key = ?2",
        key_.uid, key_.key, answer);
    return true;
  });
}

}  // namespace taskd
