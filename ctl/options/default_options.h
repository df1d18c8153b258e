// Options of `submit` that a queue or a handler has defaults for: "timeout=10m" on the one side,
// the API's fields on the other.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/base/context.h"

namespace taskd::ctl {

// The merge patch of a queue's `defaults` that sets these ("timeout=10m") and takes these back
// ("timeout"); empty for neither. Throws UsageError (64, 65).
nlohmann::json defaults_patch(Context& context, const std::vector<std::string>& set,
                              const std::vector<std::string>& unset);

// "timeout=10m max-attempts=5"; "" without any.
std::string describe_defaults(const nlohmann::json& defaults);

}  // namespace taskd::ctl
