// The one writer: a thread that runs commands and commits as many at once as wait for it.
//
// run() may be called from any thread and blocks until the COMMIT that holds its command was
// synced. One waiting command is committed at once; while it syncs, the others gather into the next
// transaction, where each has its own savepoint: one that fails is rolled back alone. The users
// take turns, one command each, after the daemon's own commands; and a transaction that has spent
// its budget leaves the rest to the next, in which users come first if the daemon's left them
// nothing. So nobody waits for all that another user has asked for. A COMMIT that fails, an I/O
// error or a damaged file stop the writer for good: on_fatal is called, and no command is
// acknowledged any more.
#pragma once

#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <map>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "daemon/base/mutex.h"
#include "daemon/store/db/ballast.h"
#include "daemon/store/db/commit_times.h"
#include "daemon/store/db/connection.h"
#include "daemon/store/db/files.h"
#include "daemon/store/limits/queue_table.h"
#include "daemon/store/write/outbox.h"
#include "daemon/store/write/transaction.h"

namespace taskd {

// What becomes of a command when the disk is full.
enum class WhenFull {
  refuse,       // DiskFull, also as long as the ballast is not back
  use_ballast,  // it must be recorded: the ballast is given up for it; DiskFull only after that
};

class WriteQueue {
 public:
  // Runs on the writer thread inside the transaction. After a full disk it may be run again, on
  // a database where its first run never happened.
  using Command = std::function<void(Transaction&)>;

  // `generation` goes into every event. Uses path, boot_id … of `options` as described there.
  // `is_copy`: every command is refused.
  WriteQueue(Connection db, const StoreOptions& options, std::int64_t generation,
             bool is_copy = false);
  ~WriteQueue();  // finishes the commands already given

  // For whom a command is run: a user's id, or the daemon itself.
  using Owner = std::int64_t;
  static constexpr Owner kDaemon = -1;

  // Throws what the command threw, StoreUnavailable, StoreIsCopy, or std::runtime_error once the
  // writer has stopped.
  void run(WhenFull when_full, Owner owner, const Command& command);
  void run(WhenFull when_full, const Command& command) { run(when_full, kDaemon, command); }

  CommitTimesUs times() const;

  // QueueTable::reserved_task().
  TaskId reserved_task() const { return queues_.reserved_task(); }

  // Stops the writer for an error found elsewhere, by a reader.
  void fail(const std::string& error);

 private:
  struct Item {
    WhenFull when_full;
    Owner owner;
    const Command* command;  // the caller keeps it until `done`
    std::exception_ptr error;
    std::int64_t* cpu_us;  // the caller's, until `done`: what the writer spent on it
    std::promise<std::exception_ptr> done;  // takes `error` along: the caller alone owns it then
  };
  using Batch = std::vector<Item>;
  enum class Result { completed, no_space };

  void loop();
  Batch next_batch();
  void take_round(Batch& batch) TASKD_REQUIRES(mutex_);
  void give_back(std::span<Item> rest);
  // How many of the first commands it completed; at least one.
  std::size_t complete_batch(std::span<Item> batch);
  // Tries the first `taken` commands, as many as a transaction's budget is for. With `claiming`
  // idle workers get what they let start.
  Result try_batch(std::span<Item> batch, bool claiming, std::size_t& taken);
  void run_command(Item& item, Transaction& transaction, bool alone);
  static void share_cost(std::span<Item> batch, std::int64_t spent_us);
  // How many idle workers may find something to do in what the open transaction lets start.
  int count_idle(const Transaction& transaction) const;
  // Claims for so many of them; nothing where that failed.
  std::optional<Claims> claim_for(int idle, Transaction& transaction);
  Result give_up_batch(std::span<Item> batch, const SQLite::Exception& error, bool committing);
  void roll_back();
  void complete(std::span<Item> batch);
  void checkpoint_when_long();
  // The next command waits less long for a lock that just now lasted too long.
  void note_lock(bool is_locked);
  std::exception_ptr stopped_error();

  const StoreOptions options_;
  const std::int64_t generation_;
  const bool is_copy_;
  Connection db_;      // of the writer thread
  QueueTable queues_;  // of the writer thread, but for reserved_task()
  const Outbox outbox_;
  Ballast ballast_;  // of the writer thread
  const StoreFiles files_;
  bool is_locked_ = false;  // by another program, as far as the latest command knows
  int checkpointed_pages_ = 0;
  CommitTimes times_;

  mutable Mutex mutex_;
  CondVar wake_;
  std::map<Owner, std::deque<Item>> waiting_ TASKD_GUARDED_BY(mutex_);  // none is empty
  Owner latest_user_ TASKD_GUARDED_BY(mutex_) = kDaemon;                // had the latest turn
  bool daemon_filled_latest_ TASKD_GUARDED_BY(mutex_) = false;          // the latest transaction
  bool closing_ TASKD_GUARDED_BY(mutex_) = false;
  std::string stopped_ TASKD_GUARDED_BY(mutex_);  // why; "" while all is well
  std::thread thread_;
};

}  // namespace taskd
