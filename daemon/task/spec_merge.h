// Tasks put together from two pieces: what a batch says for all of its tasks and what each says
// itself; a task there is and what somebody changes about it. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <variant>

#include "daemon/task/spec_json.h"

namespace taskd {

// Gives `task`, a submit's body, the fields of `defaults` that it leaves out; both are objects. A
// field is taken whole or not at all; argv, shell and handler count as one, and so do delay_ms and
// run_at. A task with a handler takes nothing that the handler says, one without no payload.
void fill_in(nlohmann::json& task, const nlohmann::json& defaults);

// What is wrong with `defaults` by themselves.
FieldErrors check_defaults(const nlohmann::json& defaults, const std::string& pointer);

// The task that `patch` makes of one with `spec`: a JSON merge patch (RFC 7396) of the fields of a
// submit, where null gives a field its default, and objects are merged, but for a payload. What
// does not go with another kind of command goes with the one before. The result is looked at as a
// submit is; pointers begin with `pointer`. It has a start only if the patch names one.
std::variant<NewTask, FieldErrors> patch_task(const TaskSpec& spec, const nlohmann::json& patch,
                                              const std::string& pointer = "#");

}  // namespace taskd
