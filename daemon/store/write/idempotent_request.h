// Makes a change that a client may repeat under its Idempotency-Key happen once. (A submit handles
// its key itself.)
//
// While a IdempotentRequest lives, its thread's writes belong to the request, and the first commit that
// changes anything also records the key: the key is durable exactly if the change is. A request
// that takes several commits is recorded as unfinished until finish(). If the daemon dies before
// that, a repeated request continues. Used by one thread; each thread has at most one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/store/task_store.h"

namespace taskd {

class Transaction;

struct RequestKey {
  std::uint32_t uid = 0;
  std::string key;
  std::string digest;  // of the request
  bool in_one_commit = true;
};

// The earlier request with the same key.
struct EarlierRequest {
  bool is_same = false;
  std::optional<TaskId> task;         // the task it concerned or created
  std::optional<std::string> answer;  // as given to finish()
};

class IdempotentRequest {
 public:
  // Thrown when another request with this key is in progress.
  struct InProgress {};

  // Throws InProgress, and what the store's reads throw.
  IdempotentRequest(TaskStore& store, RequestKey key);
  ~IdempotentRequest();
  IdempotentRequest(const IdempotentRequest&) = delete;
  IdempotentRequest& operator=(const IdempotentRequest&) = delete;

  // If this is set, the request was made before: change nothing.
  const std::optional<EarlierRequest>& earlier() const { return earlier_; }
  // The request succeeded. Stores `answer`, if given, for repeats. Without an answer this needs no
  // extra commit if the key was recorded with the change.
  void finish(const std::optional<std::string>& answer);

  // --- for the store's writes: the calling thread's request, or null
  static IdempotentRequest* current();
  // On the writer thread, in the transaction of one of the request's commands: records the key if
  // the command made changes after `first_change`.
  void record(Transaction& transaction, std::size_t first_change);
  // On the request's own thread: the latest record is committed.
  void committed() { is_recorded_ = is_recorded_ || recording_; }

 private:
  void insert(Transaction& transaction, std::optional<TaskId> task, bool finished,
              const std::optional<std::string>& answer) const;

  TaskStore& store_;
  const RequestKey key_;
  std::optional<EarlierRequest> earlier_;
  bool is_recorded_ = false;
  bool recording_ = false;
};

}  // namespace taskd
