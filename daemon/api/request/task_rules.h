// What every task must be, whichever way it comes, and what it takes from its handler and its
// queue. Thread-safe; throws ProblemError.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "daemon/api/request/context.h"
#include "daemon/task/spec_json.h"

namespace taskd {

// Gives a task's object in a body, where it stands at `pointer`, what it leaves to its
// handler and its queue. What is no task is left alone, for its reader to name. unknown_handler.
void apply_defaults(const ApiContext& context, const std::string& pointer, nlohmann::json& task);
// What every task must be, whichever way it comes and whoever its owner is: refuses what cannot or
// may not start. handlers_only, unknown_handler; check_user(), check_needs().
void check_task(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec);
// Turns the user's name into a uid, and refuses what may not run as that one (may_run_as()).
// `owner` is whose the task or the schedule is. `pointer` is the task's. unknown_user, not_allowed.
void check_user(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec);
// Refuses what can never start on this machine. `pointer` is the task's. does_not_fit.
void check_needs(const Machine& machine, const std::string& pointer, const TaskSpec& spec);
// handlers_only, if the task has a command of its own.
void check_command(const ApiContext& context, const TaskSpec& spec);
// The same of the tasks with these ids, before they are retried or released; of very large ones, of
// the first.
void check_commands(const ApiContext& context, const Actor& actor, const std::vector<TaskId>& ids);
// The same for what a patch would make of a task. unknown_handler, handlers_only.
void check_command_patch(const ApiContext& context, const std::string& pointer,
                         const nlohmann::json& patch);
// Adds an error for each entry of a `notify` whose hook is not declared. `pointer` is that of the
// object around it.
void check_notify(const ApiContext& context, const std::string& pointer,
                  const std::vector<Notify>& list, FieldErrors& errors);

}  // namespace taskd
