// Combines tasks from two sources: the defaults of a batch and one of its tasks, or an existing
// task and an edit. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "daemon/task/spec_json.h"

namespace taskd {

// Fills the fields that `task`, a submit's body, omits from `defaults`; both are objects. Fields
// are taken whole. argv, shell and handler count as one field, and so do delay_ms and run_at. A
// task with a handler takes no field that the handler sets; a task without one takes no payload.
void fill_in(nlohmann::json& task, const nlohmann::json& defaults);

// Returns the errors in `defaults` alone.
FieldErrors check_defaults(const nlohmann::json& defaults, const std::string& pointer);

// Applies `patch`, a JSON merge patch (RFC 7396) of submit fields, to a task with `spec`. Null
// resets a field to its default; objects are merged, except the payload. Changing the kind of
// command drops the fields that belong to the old kind. The result is validated like a submit;
// pointers begin with `pointer`. It has a start only if the patch names one.
std::variant<NewTask, FieldErrors> patch_task(const TaskSpec& spec, const nlohmann::json& patch,
                                              const std::string& pointer = "#");

}  // namespace taskd
