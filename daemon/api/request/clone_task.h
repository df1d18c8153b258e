// A submit that takes over what another task is to run. On this side of the API, since environments
// are never shown.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "daemon/api/request/context.h"
#include "daemon/task/strict_json.h"

namespace taskd {

// The task of a submit's body whose `like` names a task that is there: that one's spec, without
// what binds it to others, patched by the other fields. `pointer` is the task's; `read_bytes` is
// set to how much text that one has. unknown_task.
std::variant<NewTask, FieldErrors> clone_task(const ApiContext& context, const Actor& actor,
                                              const nlohmann::json& item,
                                              const std::string& pointer, std::size_t& read_bytes);

}  // namespace taskd
