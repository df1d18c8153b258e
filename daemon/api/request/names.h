// Resolves task names as people write them: "12", "12-20", "12[3]", "last". The id of an array
// (that of its first task) means the whole array. Thread-safe; throws ProblemError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/api/request/call.h"

namespace taskd {

class BatchSize;

struct NamedTasks {
  std::vector<TaskId> ids;      // named individually; each exists and is visible to the actor
  std::vector<IdRange> ranges;  // from ranges and arrays: whichever tasks exist in them

  std::vector<IdRange> all() const;  // ascending, disjoint
};

// `words` must be an array of 1 to 10,000 names; `pointer` is its place in the body, or the query
// parameter. invalid_request or bad_query, no_such_task, array_being_submitted.
NamedTasks resolve_names(const ApiContext& context, const Actor& actor, const nlohmann::json& words,
                         const std::string& pointer);

// One name that must mean one task. names_an_array for an array.
TaskId resolve_name(const ApiContext& context, const Actor& actor, std::string_view name);

// Resolves the task's named dependencies and counts each of them towards the request's size.
// `pointer` is the task's. unknown_dependency, invalid_task; errors of BatchSize.
void resolve_dependencies(const ApiContext& context, const Actor& actor, const std::string& pointer,
                          NewTask& task, BatchSize& size);

// "ids" or "tasks" of a body that must have exactly one of them. "ids" are single tasks.
NamedTasks read_named(const ApiContext& context, const Actor& actor, const nlohmann::json& body);

// The task that {id} names; it may be `last`. bad_id, no_such_task, names_an_array.
TaskId task_id_of(const ApiContext& context, const Call& call);
Task task_of(const ApiContext& context, const Call& call);

}  // namespace taskd
