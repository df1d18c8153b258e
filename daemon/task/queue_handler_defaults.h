// Options of tasks that a handler or a queue has for those submits that do not give them: a JSON
// object with fields of a submit. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "daemon/task/spec_json.h"

namespace taskd {

enum class DefaultsOf { handler, queue };

// Whether the field of a submit can have a default there: how a task is queued, tried, limited and
// kept. Not what it runs, when it starts, or what it has to do with other tasks.
bool can_be_default(DefaultsOf owner, std::string_view field);

// Everything that is wrong with them; pointers begin with `pointer`.
FieldErrors check_task_defaults(DefaultsOf owner, const nlohmann::json& defaults,
                                const std::string& pointer);

// What a merge patch (RFC 7396), an object or null, makes of them. Of what it takes back nothing is
// left, not even an empty object.
nlohmann::json patch_defaults(const nlohmann::json& defaults, const nlohmann::json& patch);

// A task's spec as it is with these alone. Requires: nothing is wrong with them.
TaskSpec spec_with_defaults(const nlohmann::json& defaults);

// Gives `task`, a submit's body, what it leaves out of `defaults`; both are objects. Of `labels`
// and `backoff` that is each member, of other fields the field as a whole.
void take_defaults(nlohmann::json& task, const nlohmann::json& defaults);

}  // namespace taskd
