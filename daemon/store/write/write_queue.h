// The single writer: a thread that runs commands and commits all waiting ones together.
//
// run() may be called from any thread and blocks until the COMMIT that holds its command is synced.
// A single waiting command is committed at once. While it syncs, others gather for the next
// transaction, in which each has its own savepoint: one that fails is rolled back alone.
//
// The daemon's own commands come first; then users take turns, one command each. A transaction that
// has used its budget leaves the rest to the next one, in which users come first if the daemon's
// commands left them nothing. So nobody waits for all commands of another user.
//
// A failed COMMIT, an I/O error or a damaged file stop the writer for good: on_fatal is called, and
// no command is acknowledged any more.
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

// What happens to a command when the disk is full.
enum class WhenFull {
  refuse,       // throws DiskFull, until the ballast is back
  use_ballast,  // must be recorded: uses the ballast; throws DiskFull only after that
};

class WriteQueue {
 public:
  // Runs on the writer thread inside the transaction. After a full disk it may run again, on a
  // database in which its first run never happened.
  using Command = std::function<void(Transaction&)>;

  // `generation` is stored in every event. Uses path, boot_id … of `options` as described there.
  // With `is_copy` every command is refused.
  WriteQueue(Connection db, const StoreOptions& options, std::int64_t generation,
             bool is_copy = false);
  ~WriteQueue();  // finishes accepted commands

  // On whose behalf a command runs: a user's id, or the daemon itself.
  using Owner = std::int64_t;
  static constexpr Owner kDaemon = -1;

  // Throws what the command threw, StoreUnavailable, StoreIsCopy, or std::runtime_error once the
  // writer has stopped.
  void run(WhenFull when_full, Owner owner, const Command& command);
  void run(WhenFull when_full, const Command& command) { run(when_full, kDaemon, command); }

  CommitTimesUs times() const;

  // QueueTable::reserved_task().
  TaskId reserved_task() const { return queues_.reserved_task(); }

  // Stops the writer because of an error that a reader found.
  void fail(const std::string& error);

 private:
  struct Item {
    WhenFull when_full;
    Owner owner;
    const Command* command;  // owned by the caller, valid until `done`
    std::exception_ptr error;
    // Owned by the caller, valid until `done`: receives the writer's CPU time.
    std::int64_t* cpu_us;
    // Carries `error` to the caller, which then owns it alone.
    std::promise<std::exception_ptr> done;
  };
  using Batch = std::vector<Item>;
  enum class Result { completed, no_space };

  void loop();
  Batch next_batch();
  void take_round(Batch& batch) TASKD_REQUIRES(mutex_);
  void give_back(std::span<Item> rest);
  // Returns how many of the first commands it completed; at least one.
  std::size_t complete_batch(std::span<Item> batch);
  // Tries the first `taken` commands, as many as fit a transaction's budget. With `claiming`, idle
  // workers get the tasks that these let start.
  Result try_batch(std::span<Item> batch, bool claiming, std::size_t& taken);
  void run_command(Item& item, Transaction& transaction, bool alone);
  static void share_cost(std::span<Item> batch, std::int64_t spent_us);
  // How many idle workers may get a task from what the open transaction lets start.
  int count_idle(const Transaction& transaction) const;
  // Claims tasks for `idle` workers; nothing if that failed.
  std::optional<Claims> claim_for(int idle, Transaction& transaction);
  Result give_up_batch(std::span<Item> batch, const SQLite::Exception& error, bool committing);
  void roll_back();
  void complete(std::span<Item> batch);
  void checkpoint_when_long();
  // After a lock that lasted too long, the next command waits less for it.
  void note_lock(bool is_locked);
  std::exception_ptr stopped_error();

  const StoreOptions options_;
  const std::int64_t generation_;
  const bool is_copy_;
  Connection db_;      // writer thread only
  QueueTable queues_;  // writer thread only, except reserved_task()
  const Outbox outbox_;
  Ballast ballast_;  // writer thread only
  const StoreFiles files_;
  bool is_locked_ = false;  // by another program, as of the latest command
  int checkpointed_pages_ = 0;
  CommitTimes times_;

  mutable Mutex mutex_;
  CondVar wake_;
  std::map<Owner, std::deque<Item>> waiting_ TASKD_GUARDED_BY(mutex_);  // no deque is empty
  Owner latest_user_ TASKD_GUARDED_BY(mutex_) = kDaemon;                // had the latest turn
  bool daemon_filled_latest_ TASKD_GUARDED_BY(mutex_) = false;          // in the latest transaction
  bool closing_ TASKD_GUARDED_BY(mutex_) = false;
  std::string stopped_ TASKD_GUARDED_BY(mutex_);  // the reason; "" while all is well
  std::thread thread_;
};

}  // namespace taskd
