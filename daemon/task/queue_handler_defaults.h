// Task options that a handler or a queue sets as defaults for submits that omit them: a JSON object
// with fields of a submit. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "daemon/task/spec_json.h"

namespace taskd {

enum class DefaultsOf { handler, queue };

// Whether `owner` may set a default for this field of a submit. Allowed: how a task is queued,
// retried, limited and kept. Not allowed: what it runs, when it starts, and how it relates to other
// tasks.
bool can_be_default(DefaultsOf owner, std::string_view field);

// Returns every error in `defaults`; pointers begin with `pointer`.
FieldErrors check_task_defaults(DefaultsOf owner, const nlohmann::json& defaults,
                                const std::string& pointer);

// Applies a merge patch (RFC 7396), an object or null. Drops objects that become empty.
nlohmann::json patch_defaults(const nlohmann::json& defaults, const nlohmann::json& patch);

// The spec that results from these defaults alone. Requires valid defaults.
TaskSpec spec_with_defaults(const nlohmann::json& defaults);

// Fills the fields that `task`, a submit's body, omits from `defaults`; both are objects. `labels`
// and `backoff` are merged member by member, other fields are taken whole.
void take_defaults(nlohmann::json& task, const nlohmann::json& defaults);

}  // namespace taskd
