// What people and programs ask about tasks: submit, look, change.
// A part of TaskStore: see there for threads, durability and errors.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/store/requests.h"
#include "daemon/task/why.h"

namespace taskd {

class StoreTasks : protected StorePart {
 public:
  SubmitResult submit(const SubmitRequest& request);
  // A `signal` only notes that somebody wants it sent to what runs; sending is up to the caller.
  ControlResult control(const ControlRequest& request);
  EditResult edit(const EditRequest& request);
  // The latest attempt's, kept with the task.
  std::optional<TaskResult> result(TaskId id);
  std::optional<std::string> result_of(TaskId id);  // JSON
  // On what a task depends, in the order in which it was named.
  std::vector<Dependency> dependencies(TaskId id);
  std::optional<Task> get(const Actor& actor, TaskId id);
  std::vector<Task> list(const ListRequest& request);
  std::vector<TaskId> list_ids(const ListRequest& request);  // the same tasks
  // Calls `visit` with each of these tasks that is there for the actor, in this order, until it
  // returns false. On the caller's thread, with a reader: it must not call the store. One task is
  // in memory at a time, with its spec.
  void visit(const Actor& actor, std::span<const TaskId> ids,
             const std::function<bool(const Task&)>& visit);
  // The states of those of them that are there for the actor.
  std::map<TaskId, State> states(const Actor& actor, std::span<const TaskId> ids);
  // Whether the actor sees a task of this workflow, which goes with its last task.
  bool has_workflow(const Actor& actor, WorkflowId id);
  // An array, by the id of its first task. It is there until its last task is removed, and hooks
  // have been told of it.
  std::optional<ArrayInfo> array(const Actor& actor, TaskId id);
  // Where the tasks of the filter's times are: those outside do not match.
  IdRange ids_of(const Filter& filter);
  // Without its tasks, which a filter lists.
  std::optional<Workflow> workflow(const Actor& actor, WorkflowId id);
  // Up to `limit`, fewer where they have very many tasks; the newest first, all or those before an
  // id.
  struct Workflows {
    std::vector<Workflow> workflows;
    bool more = false;
  };
  Workflows workflows(const Actor& actor, std::optional<WorkflowId> before, int limit);
  // Nothing for a task that the actor does not see.
  std::optional<Why> why(const Actor& actor, TaskId id);
  // What the actor's own user submitted last, be it a task or an array: not what a schedule did,
  // nor what others did whose tasks an admin sees.
  std::optional<TaskId> last(const Actor& actor);
  // Whether the task is there for the actor.
  bool sees(const Actor& actor, TaskId id);
  // The same of all of them: the first that is not there.
  std::optional<TaskId> first_missing(const Actor& actor, std::span<const TaskId> ids);
  // Whether any of them is.
  bool sees_any(const Actor& actor, const IdRange& ids);
  // On what a task depends that depends on all of `ids`: on an array that lies in them, whole, and
  // else on each task; at most `limit`, in order, with no `on`.
  struct Upstreams {
    std::vector<Dependency> found;
    std::optional<TaskId> missing;     // they end before it: it is not there for the actor
    std::optional<TaskId> unfinished;  // the same: this array is still being made
  };
  Upstreams upstreams(const Actor& actor, const IdRange& ids, std::size_t limit);
  // Of the tasks in these ranges (as in Filter): how many there are in each state; the first at or
  // after an id that has not ended; how many have. Where a range is an array, tasks that were
  // removed count by how they ended.
  std::map<State, std::int64_t> state_counts(const Actor& actor, const std::vector<IdRange>& ids);
  std::optional<TaskId> first_open(const Actor& actor, const std::vector<IdRange>& ids,
                                   TaskId from);
  EndedCounts count_ends(const Actor& actor, const std::vector<IdRange>& ids);
  // Of the tasks in the ranges of the request's filter: how many there are in states in which the
  // verb does nothing.
  std::map<State, std::int64_t> unchanged(const ControlRequest& request);
  // Up to `limit` attempts of the task numbered above `after`, in order.
  std::vector<Attempt> attempts(TaskId id, int after = 0, int limit = 1000);

 protected:
  using StorePart::StorePart;

 private:
  ControlResult control_ids(const ControlRequest& request);
  ControlResult control_filter(const ControlRequest& request);
  std::optional<ControlResult> control_some(const ControlRequest& request,
                                            std::span<const TaskId> ids,
                                            std::size_t& count,
                                            std::vector<ControlChange>& first);
  ControlResult preview_filter(const ControlRequest& request);
  ControlResult preview_ids(const ControlRequest& request, const std::vector<TaskId>& ids);
  ControlResult control_many(const ControlRequest& request, const std::vector<TaskId>& ids);
};

}  // namespace taskd
