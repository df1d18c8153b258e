// What people and programs do with tasks: submit, read, change. A part of TaskStore: see there for
// threads, durability and errors.
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
  // A `signal` only records that somebody wants to send it; the caller sends it.
  ControlResult control(const ControlRequest& request);
  EditResult edit(const EditRequest& request);
  // These and attempts() take no actor: the caller has checked that the user may see the task.
  // The result of the latest attempt, kept with the task.
  std::optional<TaskResult> result(TaskId id);
  std::optional<std::string> result_of(TaskId id);  // JSON
  // The task's dependencies, in the order in which they were named.
  std::vector<Dependency> dependencies(TaskId id);
  std::optional<Task> get(const Actor& actor, TaskId id);
  std::vector<Task> list(const ListRequest& request);
  std::vector<TaskId> list_ids(const ListRequest& request);  // ids of the same tasks
  // Calls `visit` with each of these tasks that the actor sees, in this order, until it returns
  // false. Runs on the caller's thread with a reader, so `visit` must not call the store. Holds one
  // task with its spec in memory at a time.
  void visit(const Actor& actor, std::span<const TaskId> ids,
             const std::function<bool(const Task&)>& visit);
  // The states of those tasks that the actor sees.
  std::map<TaskId, State> states(const Actor& actor, std::span<const TaskId> ids);
  // Whether the actor sees a task of this workflow. A workflow disappears with its last task.
  bool has_workflow(const Actor& actor, WorkflowId id);
  // An array, by the id of its first task. It exists until its last task is removed and hooks have
  // been notified about it.
  std::optional<ArrayInfo> array(const Actor& actor, TaskId id);
  // The ids that the filter's times allow: tasks outside do not match.
  IdRange ids_of(const Filter& filter);
  // Without its tasks; list them with a filter.
  std::optional<Workflow> workflow(const Actor& actor, WorkflowId id);
  // The newest workflows first, at most `limit`; with `before`, only those with a lower id. Returns
  // fewer, and `more`, if they have very many tasks.
  struct Workflows {
    std::vector<Workflow> workflows;
    bool more = false;
  };
  Workflows workflows(const Actor& actor, std::optional<WorkflowId> before, int limit);
  // Returns nothing for a task that the actor does not see.
  std::optional<Why> why(const Actor& actor, TaskId id);
  // The task or array that the actor's own user submitted last. Ignores tasks from schedules, and
  // other users' tasks that an admin sees.
  std::optional<TaskId> last(const Actor& actor);
  // Whether the actor sees the task.
  bool sees(const Actor& actor, TaskId id);
  // The first of these ids that the actor does not see.
  std::optional<TaskId> first_missing(const Actor& actor, std::span<const TaskId> ids);
  // Whether the actor sees any of these tasks.
  bool sees_any(const Actor& actor, const IdRange& ids);
  // The dependencies that "--after ids" stands for: an array that lies wholly within `ids` is one,
  // any other task is one each. In order of id, at most `limit`, with `on` left unset.
  struct Upstreams {
    std::vector<Dependency> found;
    // The list ends before this task, which the actor does not see.
    std::optional<TaskId> missing;
    // The list ends before this array, which is still being submitted.
    std::optional<TaskId> unfinished;
  };
  Upstreams upstreams(const Actor& actor, const IdRange& ids, std::size_t limit);
  // How many of the tasks in these ranges are in each state. Ranges ascend and are disjoint.
  std::map<State, std::int64_t> state_counts(const Actor& actor, const std::vector<IdRange>& ids);
  // The first of these tasks, from id `from` on, that has not ended.
  std::optional<TaskId> first_open(const Actor& actor, const std::vector<IdRange>& ids,
                                   TaskId from);
  // How many have ended. If a range is a whole array, its removed tasks count as they ended.
  EndedCounts count_ends(const Actor& actor, const std::vector<IdRange>& ids);
  // How many tasks in the ranges of the request's filter are in states in which the verb changes
  // nothing.
  std::map<State, std::int64_t> unchanged(const ControlRequest& request);
  // Up to `limit` attempts of the task with numbers above `after`, in order.
  std::vector<Attempt> attempts(TaskId id, int after = 0, int limit = 1000);

 protected:
  using StorePart::StorePart;

 private:
  ControlResult control_ids(const ControlRequest& request);
  ControlResult control_filter(const ControlRequest& request);
  std::optional<ControlResult> control_some(const ControlRequest& request,
                                            std::span<const TaskId> ids, std::size_t& count,
                                            std::vector<ControlChange>& first);
  ControlResult preview_filter(const ControlRequest& request);
  ControlResult preview_ids(const ControlRequest& request, const std::vector<TaskId>& ids);
  ControlResult control_many(const ControlRequest& request, const std::vector<TaskId>& ids);
};

}  // namespace taskd
