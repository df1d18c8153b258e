// What the engine does with tasks: claims them, records their ends, moves them on with time,
// removes them when their time is over. A part of TaskStore: see there for threads, durability and
// errors.
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
  // The clock was put back to `now`: slots that were dealt with after that are looked at again, and
  // only those that never were will fire; keys whose rate was to let something go later are, too.
  // Intervals that were to begin later begin now, and a failed try waits no longer than its longest
  // back-off. A start that a person gave stays.
  void rewind_clock(WallTime now);
  // Up to `limit` of the tasks that may start, now running. Among the queues whose limits leave
  // room they go in turns, by weight; inside a queue in the order of (priority, id).
  Claims claim(int limit);
  // Records the ends (guarded by task, attempt and token) and claims up to `claim_limit` tasks in
  // the same commit. One result per finish; the claims are in the last one's.
  std::vector<FinishResult> finish(std::span<const Finish> finishes, int claim_limit);
  // Everything in `running`, by id: for recovery.
  std::vector<Claim> running_attempts();
  // Notes in the events that an attempt was adopted by this generation.
  void record_adopted(TaskId task, int attempt, const std::string& token);
  // Whether the attempt runs, and this is its token.
  bool is_running(const AttemptKey& attempt);
  // Of attempts that are still their tasks' latest; other reports are dropped.
  void write_progress(std::span<const ProgressReport> reports);
  // False: the attempt is not live, or this is not its token; nothing changed. A later one of the
  // same attempt replaces it, and so does what the attempt's end brings (AttemptEnd::result).
  bool set_result(const AttemptKey& attempt, const std::string& json);
  // What became of a task that `dependant` depends on. Nothing when it is removed.
  std::optional<DependencyEnd> dependency_end(TaskId dependant, TaskId on);
  // Moves tasks that are due to `queued`, and those that a key's rate or their dependencies let go,
  // at most `limit` of each; returns when the next one is.
  std::optional<WallTime> promote(WallTime now, int limit);
  // Deletes ended tasks whose keep time (at least ten seconds) is over, at most `limit`, old keys,
  // slots, deliveries and events, and events of removed tasks but for the newest; the deleted tasks
  // come back with their number of attempts so that their files can be removed. From one thread.
  struct Pruned {
    TaskId id = 0;
    int attempts = 0;
  };
  struct PruneResult {
    std::vector<Pruned> tasks;
    std::optional<WallTime> next;  // when the next task's keep time is over
  };
  PruneResult prune(WallTime now, int limit);
  // How many events of removed tasks there are, as of some time ago; -1: not known yet.
  std::int64_t kept_events() const;
  // Where the trusted clock goes on: what was kept in this boot, else what the clocks show, which
  // is doubted where an earlier daemon was seen too long ago.
  TrustedClock::Point clock_point();
  void keep_clock_point(const TrustedClock::Point& point);
  // The highest id ever given out, 0 before the first; and the ids in [first, last] of the tasks
  // that exist. For finding files of tasks that do not exist any more.
  TaskId newest_id();
  std::vector<TaskId> ids_between(TaskId first, TaskId last);
  // What the running tasks have of the machine.
  Allocation allocation();

 protected:
  using StorePart::StorePart;
};

}  // namespace taskd
