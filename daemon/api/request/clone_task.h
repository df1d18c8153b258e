// A submit that copies another task (`like`). Done in the daemon, since environments are never
// shown to clients.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "daemon/api/request/context.h"
#include "daemon/task/strict_json.h"

namespace taskd {

// Builds the task of a submit body whose `like` names an existing task: that task's spec without
// its links to other tasks, patched by the other fields. `pointer` is the new task's; sets
// `read_bytes` to the size of the copied text. unknown_task.
std::variant<NewTask, FieldErrors> clone_task(const ApiContext& context, const Actor& actor,
                                              const nlohmann::json& item,
                                              const std::string& pointer, std::size_t& read_bytes);

}  // namespace taskd
