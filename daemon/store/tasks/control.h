// The verbs, shared by requests with ids, requests with a filter, and dry runs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "daemon/store/store_impl.h"

namespace taskd {

// Applies the verb to a task for which it is valid. Writer thread only.
ControlChange apply_verb(Transaction& transaction, const ControlRequest& request, StoredTask task);

// Before a remove, updates some hundred dependants of these tasks in a separate commit. Returns
// false when none are left and the verb can proceed.
bool must_update_first(Transaction& transaction, const ControlRequest& request,
                       const std::vector<TaskId>& ids);

// Whether the verb changes a task of this queue in this state.
bool changes_something(const ControlRequest& request, State state, const std::string& queue);

// The queue that the verb puts the task into, or null if it stays.
const std::string* queue_entered(const ControlRequest& request, State state,
                                 const std::string& queue);

// Verbs that free space, or stop the job that fills the disk, must work on a full disk.
WhenFull when_full(Verb verb);

// Collects the result of a dry run, task by task in ascending order of ids.
class PreviewCounter {
 public:
  void add(TaskId id, State state, const std::string& queue);
  void stop_at(const std::string& queue) { preview_.full_queue = queue; }
  Preview take();

 private:
  Preview preview_;
  std::map<std::pair<std::string, State>, std::int64_t> counts_;
};

// Judges task after task for a verb. The same rules apply to real and dry runs.
class VerbJudge {
 public:
  // `request` must outlive this object.
  explicit VerbJudge(const ControlRequest& request) : request_(request) {}

  // Why the verb cannot be applied to the task. Nothing if it can, though it may change nothing.
  // Does not check room in queues (room_in()).
  std::optional<ControlResult> refuse(Connection& db, const StoredTask& task);

 private:
  const ControlRequest& request_;
  std::map<std::pair<std::uint32_t, std::string>, TaskId> retried_;  // by uid and unique key
};

}  // namespace taskd
