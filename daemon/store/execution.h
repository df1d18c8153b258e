// The engine's view of tasks: claiming them, recording their ends, promoting them when they are
// due, pruning them when their keep time is over. A part of TaskStore: see there for threads,
// durability and errors.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/base/trusted_clock.h"
#include "daemon/store/part.h"
#include "daemon/store/requests.h"

namespace taskd {

class StoreExecution : protected StorePart {
 public:
  // Call after the clock was set back to `now`. Slots that were handled later than that are
  // examined again, and only those that never fired will fire; keys whose rate would have released
  // tasks later are examined again, too. Rate intervals that lie in the future begin now, and a
  // failed try waits at most its longest back-off. Start times given by a person stay.
  void rewind_clock(WallTime now);
  // Moves up to `limit` tasks that may start to `running`. The queues whose limits leave room take
  // turns, by weight; within a queue, tasks go by (priority, id).
  Claims claim(int limit);
  // Records the ends (guarded by task, attempt and token) and claims up to `claim_limit` tasks in
  // the same commit. Returns one result per finish; the last one holds the claims.
  std::vector<FinishResult> finish(std::span<const Finish> finishes, int claim_limit);
  // Every task in `running`, by id, for recovery.
  std::vector<Claim> running_attempts();
  // Records in the events that this generation adopted the attempt.
  void record_adopted(TaskId task, int attempt, const std::string& token);
  // Whether the attempt is running and has this token.
  bool is_running(const AttemptKey& attempt);
  // Writes the reports whose attempts are still their tasks' latest, and drops the others.
  void write_progress(std::span<const ProgressReport> reports);
  // Returns false, changing nothing, if the attempt is not running or the token is wrong. A later
  // result of the same attempt replaces it, and so does the result from the attempt's end
  // (AttemptEnd::result).
  bool set_result(const AttemptKey& attempt, const std::string& json);
  // How a dependency of `dependant` ended. Nothing if it was removed.
  std::optional<DependencyEnd> dependency_end(TaskId dependant, TaskId on);
  // Moves due tasks to `queued`, and tasks that a key's rate or their dependencies release, at most
  // `limit` of each. Returns when the next task is due.
  std::optional<WallTime> promote(WallTime now, int limit);
  // Deletes ended tasks whose keep time (at least ten seconds) is over, at most `limit`; old keys,
  // slots and deliveries; and old events of removed tasks except the newest. Returns the deleted
  // tasks with their number of attempts, so that the caller can remove their files. Call from one
  // thread only.
  struct Pruned {
    TaskId id = 0;
    int attempts = 0;
  };
  struct PruneResult {
    std::vector<Pruned> tasks;
    std::optional<WallTime> next;  // when the next task's keep time ends
  };
  PruneResult prune(WallTime now, int limit);
  // How many events of removed tasks there are, as of the latest sweep; -1: not known yet.
  std::int64_t kept_events() const;
  // Where the trusted clock continues: the point stored in this boot, or else the clocks' current
  // values, which are distrusted if an earlier daemon was last seen too long ago.
  TrustedClock::Point clock_point();
  void keep_clock_point(const TrustedClock::Point& point);
  // The highest id ever assigned, 0 before the first; and the ids of existing tasks in [first,
  // last]. Used to find files of removed tasks.
  TaskId newest_id();
  std::vector<TaskId> ids_between(TaskId first, TaskId last);
  // What the running tasks use of the machine.
  Allocation allocation();

 protected:
  using StorePart::StorePart;
};

}  // namespace taskd
