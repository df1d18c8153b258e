// Rules for every task however it is submitted, and the defaults from its handler and queue.
// Thread-safe; throws ProblemError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/api/request/context.h"
#include "daemon/task/spec_json.h"

namespace taskd {

// Fills the fields that a task object, at `pointer` in the body, omits from its handler and its
// queue. Leaves values that are not task objects for the parser to report. unknown_handler.
void apply_defaults(const ApiContext& context, const std::string& pointer, nlohmann::json& task);
// Refuses a task that cannot or may not start, whoever owns it. handlers_only, unknown_handler;
// check_user(), check_needs().
void check_task(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec);
// Resolves the user's name to a uid, and refuses a user whom the task may not run as
// (may_run_as()). `owner` owns the task or the schedule. `pointer` is the task's. unknown_user,
// not_allowed.
void check_user(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec);
// Refuses needs that this machine can never meet. `pointer` is the task's. does_not_fit.
void check_needs(const Machine& machine, const std::string& pointer, const TaskSpec& spec);
// handlers_only if the task has its own command.
void check_command(const ApiContext& context, const TaskSpec& spec);
// The same for the tasks with these ids, before they are retried or released; of very large arrays,
// for the first task.
void check_commands(const ApiContext& context, const Actor& actor, const std::vector<TaskId>& ids);
// The same for the result of a patch. unknown_handler, handlers_only.
void check_command_patch(const ApiContext& context, const std::string& pointer,
                         const nlohmann::json& patch);
// Adds an error for each `notify` entry whose hook is not declared. `pointer` is the enclosing
// object's.
void check_notify(const ApiContext& context, const std::string& pointer,
                  const std::vector<Notify>& list, FieldErrors& errors);

}  // namespace taskd
