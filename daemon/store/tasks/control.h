// What the verbs do: shared by those that name ids and those of a filter, and by their dry runs.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "daemon/store/store_impl.h"

namespace taskd {

// Does the verb to a task to which it applies. On the writer thread.
ControlChange apply_verb(Transaction& transaction, const ControlRequest& request, StoredTask task);

// Before a remove some hundred dependants of these tasks are looked at, in a commit of their own.
// False: there is nothing (more) of the kind, and the verb can be done.
bool must_update_first(Transaction& transaction, const ControlRequest& request,
                       const std::vector<TaskId>& ids);

// Whether the verb changes anything about a task of this queue in this state.
bool changes_something(const ControlRequest& request, State state, const std::string& queue);

// The queue into which it puts that task, or null where it stays.
const std::string* queue_entered(const ControlRequest& request, State state,
                                 const std::string& queue);

// What frees space, or stops the job that fills the disk, must work on a full one.
WhenFull when_full(Verb verb);

// Gathers what a dry run tells, task by task in the order of ids.
class PreviewCounter {
 public:
  void add(TaskId id, State state, const std::string& queue);
  void stop_at(const std::string& queue) { preview_.full_queue = queue; }
  Preview take();

 private:
  Preview preview_;
  std::map<std::pair<std::string, State>, std::int64_t> counts_;
};

// Judges one task after the other for a verb: what it refuses, nobody does, and no dry run counts.
class VerbJudge {
 public:
  // `request` outlives it.
  explicit VerbJudge(const ControlRequest& request) : request_(request) {}

  // Why the verb cannot be done to the task. Nothing: it can, though it may change nothing. Room in
  // queues is not judged here (room_in()).
  std::optional<ControlResult> refuse(Connection& db, const StoredTask& task);

 private:
  const ControlRequest& request_;
  std::map<std::pair<std::uint32_t, std::string>, TaskId> retried_;  // by uid and unique key
};

}  // namespace taskd
