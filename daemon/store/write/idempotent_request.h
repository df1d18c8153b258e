// A change that a client may repeat under a key of its own (Idempotency-Key), other than a submit,
// which knows its key itself: it is done once.
//
// While one of these lives, what its thread has the store write belongs to the request, and the
// first commit that changes anything records the key with it: the key is durable exactly if the
// deed is. A request that takes several commits is recorded as unfinished until finish(); where the
// daemon dies between, the repeated request goes on. One thread; at most one lives on each.
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
  std::string digest;  // of what is asked for
  bool in_one_commit = true;
};

// What was asked for under the key before.
struct EarlierRequest {
  bool is_same = false;
  std::optional<TaskId> task;         // what it was about, or made
  std::optional<std::string> answer;  // as given to finish()
};

class IdempotentRequest {
 public:
  // Thrown where another request with this key is being worked on.
  struct InProgress {};

  // Throws InProgress; as the store's reads do.
  IdempotentRequest(TaskStore& store, RequestKey key);
  ~IdempotentRequest();
  IdempotentRequest(const IdempotentRequest&) = delete;
  IdempotentRequest& operator=(const IdempotentRequest&) = delete;

  // If this is set, nothing is to be done.
  const std::optional<EarlierRequest>& earlier() const { return earlier_; }
  // The request was granted. Keeps the answer for who repeats it, if one is given; without, it
  // costs no commit of its own where the key was recorded with the deed.
  void finish(const std::optional<std::string>& answer);

  // --- for the store's writes: the one of the calling thread, or null
  static IdempotentRequest* current();
  // On the writer thread, in the transaction of a command of that thread which has done `changes`.
  void record(Transaction& transaction, std::size_t first_change);
  // On its own thread: the latest record is committed.
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
