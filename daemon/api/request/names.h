// The tasks that a request names, as people do: "12", "12-20", "12[3]", "last". The id of an array
// (that of its first task) means the whole array. Thread-safe; throws ProblemError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/api/request/call.h"

namespace taskd {

class BatchSize;

struct NamedTasks {
  std::vector<TaskId> ids;      // each named by itself; these are there, and the actor's
  std::vector<IdRange> ranges;  // ranges and arrays: whatever of them is there

  std::vector<IdRange> all() const;  // in order, none twice
};

// `words` must be an array of 1 to 10,000 names; `pointer` is where it stands in the body, or the
// word of a query. invalid_request or bad_query, no_such_task, array_being_submitted.
NamedTasks resolve_names(const ApiContext& context, const Actor& actor, const nlohmann::json& words,
                         const std::string& pointer);

// One name that must mean one task. Of an array it names_an_array.
TaskId resolve_name(const ApiContext& context, const Actor& actor, std::string_view name);

// Makes the task's dependencies of those that it names, and counts these into the size of its
// request, however often they are named. `pointer` is the task's. unknown_dependency, invalid_task;
// what BatchSize refuses.
void resolve_dependencies(const ApiContext& context, const Actor& actor,
                          const std::string& pointer, NewTask& task, BatchSize& size);

// "ids" or "tasks" of a body that must have exactly one of them. The ids are single tasks.
NamedTasks read_named(const ApiContext& context, const Actor& actor, const nlohmann::json& body);

// The task that {id} names; it may be `last`. bad_id, no_such_task, names_an_array.
TaskId task_id_of(const ApiContext& context, const Call& call);
Task task_of(const ApiContext& context, const Call& call);

}  // namespace taskd
