// The durable state: every task, attempt and event, in SQLite.
//
// Threading: every method may be called from any thread. Writes are commands to the one writer
// thread, which commits many at once; a write returns after the COMMIT that holds it was synced.
// Reads use a pool of query_only connections and see everything committed before the call.
// Durability: WAL, synchronous=FULL. A failed COMMIT or any I/O error ends the process through
// `StoreOptions::on_fatal`, since after a failed fsync nothing may be acknowledged any more.
// Errors: what a caller can expect is in the result types; exceptions (SQLite::Exception,
// std::runtime_error) mean the operation cannot go on and changed nothing. StoreUnavailable
// (db/errors.h) may be thrown by everything: DiskFull by every write, StoreBusy also by reads,
// while another program holds the database locked or the machine has no descriptor to open it.
// Until the disk has room again submit, claim, retry, hold and release refuse with DiskFull; ends of
// attempts, cancels and removals go on from the ballast, while it lasts.
// Identity: see identity.h. In a copy of another store every write throws StoreIsCopy.
//
// The seam is narrow on purpose (batch in, batch out, no policy in SQL, no triggers): a second
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

// A committed change of one task's state, told to the listener. Task 0: more may start than before,
// since a queue has other limits; or, with `act_at`, a schedule wants to be looked at then.
struct Change {
  TaskId task = 0;
  State to = State::queued;
  bool gave_way = false;           // was queued and did not start: what it kept back may start
  bool cancel_requested = false;   // of a running task; `to` is running
  std::optional<WallTime> act_at;  // when time moves it on: due (scheduled), kept until (ended)
  std::uint64_t hooks = 0;         // bit i: the i-th hook of StoreOptions has something to be told

  // Something may start that could not before.
  bool lets_start() const {
    const bool is_wake = task == 0 && act_at;  // for the timer thread
    return !is_wake && (to == State::queued || gave_way);
  }
};

// A hook that the configuration declares.
struct HookRule {
  std::string name;
  HookEvents on;  // what it is told of where nobody says otherwise
};
inline constexpr std::size_t kMaxHooks = 64;

struct StoreOptions {
  std::string path;  // the database file; its folder must exist
  std::string boot_id;
  std::int64_t ballast_bytes = 16 << 20;  // kept beside the database, freed when the disk is full
  int max_batch = 256;                    // commands per COMMIT
  std::int64_t keep_events = 100'000;     // the newest, of tasks that were removed
  // CPU time after which a transaction gives way to the next: what others wait for at most, but for
  // one command that cannot be divided.
  std::int64_t commit_budget_us = 10'000;
  Machine machine = {};                   // what running tasks share
  const Clock* clock = nullptr;           // outlives the store
  TaskId folder_task = 0;                 // the highest id of a task that has files; 0: none
  bool adopt_copy = false;                // the database may be a copy: it becomes a store
  // One that was not closed is looked through for damage when it is opened, up to this size.
  std::int64_t check_at_open_bytes = 64 << 20;
  std::vector<HookRule> hooks = {};       // at most kMaxHooks
  // What a hook is told about a task, in two JSON objects that together have all of it: the task as
  // it was at the change, told on the writer thread, which knows of the spec no more than name,
  // queue and priority; and its spec, told on the caller's of due_delivery(). Needed with hooks.
  std::function<std::string(const Task&)> describe_task = {};
  std::function<std::string(const TaskSpec&)> describe_spec = {};
  // Called on the writer thread after each COMMIT, before its commands return. Must be quick and
  // must not call the store.
  std::function<void(std::span<const Change>)> on_commit;
  // A commit that lets tasks start claims them for idle workers. Called on the writer thread before
  // such a COMMIT: how many workers, at most `at_most`, take a claim. An answer above 0 is followed
  // by on_claims, after on_commit, with no more claims than that; with nothing where the commit or
  // the claim failed. As quick as on_commit. Empty: claims are asked for only.
  std::function<int(int at_most)> idle_workers = {};
  std::function<void(std::optional<Claims>)> on_claims = {};
  // Called once with a whole sentence when nothing may be acknowledged any more. Must not return.
  std::function<void(const std::string&)> on_fatal;
};

// The store as a whole. Its parts are by who asks; each can be passed on alone.
class TaskStore : public StoreTasks,
                  public StoreExecution,
                  public StoreQueues,
                  public StoreSchedules,
                  public StoreDeliveries,
                  public StoreUsers {
 public:
  // Opens or creates the database, checks it, migrates it, counts the start (generation) and
  // starts the writer. Throws UsageError with a sysexits code and a sentence naming the file: not
  // a taskd database, damaged, or missing beside what is left of it (65), schema of a newer taskd
  // (78), unreadable or read-only (73), on a full disk or locked by another program (75). A
  // database that is refused stays as it was.
  // A copy is opened to be looked at: no start is counted. With `adopt_copy` it gets an identity of
  // its own, and what ran when it was made has failed as lost.
  static std::unique_ptr<TaskStore> open(StoreOptions options);
  ~TaskStore();  // finishes the commands already given, then closes
  // Which start of the daemon on this database this is, from 1. Stamped on every event.
  std::int64_t generation() const;
  const StoreIdentity& identity() const;  // as of this start
  Provenance provenance() const;
  bool was_adopted() const;  // StoreOptions::adopt_copy found a copy
  // Looks through the whole database for damage, `full`: the indexes against their tables too. Reads
  // for seconds where there are a million tasks, and holds up nobody. What it found, at most 100
  // lines; nothing: all is well, or `stop` asked for it to end.
  std::vector<std::string> find_damage(bool full, const std::function<bool()>& stop);
  // Whether the daemon before this one did not close the database, and it is too large to have been
  // looked through when it was opened.
  bool was_left_open() const;
  // How long its transactions took since the start.
  CommitTimesUs commit_times() const;
  // How much must be free on its disk before it goes on, once that was full.
  std::int64_t needed_disk_bytes() const;

 private:
  friend class IdempotentRequest;
  explicit TaskStore(std::unique_ptr<StoreImpl> impl);
  std::unique_ptr<StoreImpl> impl_;
};

}  // namespace taskd
