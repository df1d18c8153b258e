// The durable state: every task, attempt and event, in SQLite.
//
// Threading: every method may be called from any thread. Writes are commands to a single writer
// thread, which commits many at once; a write returns after the COMMIT that holds it was synced.
// Reads use a pool of query_only connections and see everything committed before the call.
// Durability: WAL, synchronous=FULL. A failed COMMIT or any I/O error ends the process through
// `StoreOptions::on_fatal`, since after a failed fsync nothing may be acknowledged any more.
// Errors: results contain the errors that a caller can expect; exceptions (SQLite::Exception,
// std::runtime_error) mean the operation cannot go on and changed nothing. StoreUnavailable
// (db/errors.h): every write may throw DiskFull; reads and writes may throw StoreBusy
// while another program holds the database locked or there is no free descriptor to open it.
// On a full disk, submit, claim, retry, hold and release throw DiskFull; ends of attempts, cancels
// and removals continue on the ballast while it lasts.
// Identity: see identity.h. In a copy of another store every write throws StoreIsCopy.
//
// The interface is narrow on purpose (batch in, batch out, no policy in SQL, no triggers): a second
// implementation on another database must fit behind it.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/store/db/commit_times.h"
#include "daemon/store/db/errors.h"
#include "daemon/store/db/identity.h"
#include "daemon/store/deliveries.h"
#include "daemon/store/execution.h"
#include "daemon/store/queues.h"
#include "daemon/store/requests.h"
#include "daemon/store/schedules.h"
#include "daemon/store/tasks.h"
#include "daemon/store/users.h"

namespace taskd {

// A committed change of one task's state, for the listener. With task 0: a queue has other limits,
// so more tasks may start; or, with `act_at`, a schedule is due then.
struct Change {
  TaskId task = 0;
  State to = State::queued;
  // It was queued and left without starting: tasks behind it may start.
  bool gave_way = false;
  bool cancel_requested = false;  // of a running task; `to` is running
  // When time moves it on: due (scheduled), end of keep time (ended)
  std::optional<WallTime> act_at;
  std::uint64_t hooks = 0;  // bit i: the i-th hook of StoreOptions has a new delivery

  // Whether a task may start that could not before.
  bool lets_start() const {
    const bool is_wake = task == 0 && act_at;  // for the timer thread
    return !is_wake && (to == State::queued || gave_way);
  }
};

// A hook that the configuration declares.
struct HookRule {
  std::string name;
  HookEvents on;  // events if a task names none
};
inline constexpr std::size_t kMaxHooks = 64;

struct StoreOptions {
  std::string path;  // the database file; its folder must exist
  std::string boot_id;
  std::int64_t ballast_bytes = 16 << 20;  // kept beside the database, deleted when the disk is full
  int max_batch = 256;                    // commands per COMMIT
  std::int64_t keep_events = 100'000;     // the newest events of removed tasks
  // CPU time after which a transaction ends and leaves the rest to the next. Others wait at most
  // this long, plus one command that cannot be split.
  std::int64_t commit_budget_us = 10'000;
  Machine machine = {};          // shared by running tasks
  const Clock* clock = nullptr;  // outlives the store
  TaskId folder_task = 0;        // the highest id of a task with files; 0 = none
  // If the database is a copy, it becomes a store of its own.
  bool adopt_copy = false;
  // A database that was not closed is checked for damage when it is opened, up to this size.
  std::int64_t check_at_open_bytes = 64 << 20;
  std::vector<HookRule> hooks = {};  // at most kMaxHooks
  // Describe a task to hooks, in two JSON objects that together cover it. describe_task runs on the
  // writer thread and describes the task at the time of the change; it knows only name, queue and
  // priority of the spec. describe_spec runs on the caller's thread in due_delivery(). Required
  // with hooks.
  std::function<std::string(const Task&)> describe_task = {};
  std::function<std::string(const TaskSpec&)> describe_spec = {};
  // Called on the writer thread after each COMMIT, before its commands return. Must be quick and
  // must not call the store.
  std::function<void(std::span<const Change>)> on_commit;
  // A commit that lets tasks start claims them for idle workers. Called on the writer thread before
  // such a COMMIT; returns how many workers, at most `at_most`, take a claim. If that is above 0,
  // on_claims follows after on_commit with at most that many claims, or with nothing if the commit
  // or the claim failed. Must be as quick as on_commit. Empty: tasks are claimed only on request.
  std::function<int(int at_most)> idle_workers = {};
  std::function<void(std::optional<Claims>)> on_claims = {};
  // Called once, with a whole sentence, when nothing may be acknowledged any more. Must not return.
  std::function<void(const std::string&)> on_fatal;
};

// The whole store. Its parts are separated by their users; each can be passed on alone.
class TaskStore : public StoreTasks,
                  public StoreExecution,
                  public StoreQueues,
                  public StoreSchedules,
                  public StoreDeliveries,
                  public StoreUsers {
 public:
  // Opens or creates the database, checks and migrates it, counts the start (generation) and starts
  // the writer. Throws UsageError with a sysexits code and a sentence naming the file: 65 for a
  // file that is not a taskd database, is damaged, or is missing while other parts of the store
  // remain; 78 for the schema of a newer taskd; 73 if it is unreadable or read-only; 75 on a full
  // disk or if another program holds the lock. A refused database stays unchanged. A copy is opened
  // read-only and counts no start. With `adopt_copy` it gets its own identity, and tasks that were
  // running when it was made fail as lost.
  static std::unique_ptr<TaskStore> open(StoreOptions options);
  ~TaskStore();  // finishes accepted commands, then closes
  // How many daemons have started on this database, including this one. Stored in every event.
  std::int64_t generation() const;
  const StoreIdentity& identity() const;  // as of this start
  Provenance provenance() const;
  bool was_adopted() const;  // whether StoreOptions::adopt_copy adopted a copy
  // Checks the whole database for damage; with `full`, also the indexes against their tables. Takes
  // seconds with a million tasks, and blocks nobody. Returns at most 100 findings; nothing if all
  // is well, or if `stop` ended the check.
  std::vector<std::string> find_damage(bool full, const std::function<bool()>& stop);
  // Whether the previous daemon did not close the database, and it was too large to check when it
  // was opened.
  bool was_left_open() const;
  // How long its transactions took since the start.
  CommitTimesUs commit_times() const;
  // The free disk space required before it continues after a full disk.
  std::int64_t needed_disk_bytes() const;

 private:
  friend class IdempotentRequest;
  explicit TaskStore(std::unique_ptr<StoreImpl> impl);
  std::unique_ptr<StoreImpl> impl_;
};

}  // namespace taskd
