// Converts defaults of queues and handlers between options of `submit` ("timeout=10m") and the
// API's fields.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/base/context.h"

namespace taskd::ctl {

// The merge patch for a queue's `defaults` that sets these ("timeout=10m") and removes these
// ("timeout"); empty if there are none. Throws UsageError (64, 65).
nlohmann::json defaults_patch(Context& context, const std::vector<std::string>& set,
                              const std::vector<std::string>& unset);

// "timeout=10m max-attempts=5"; "" if there are none.
std::string describe_defaults(const nlohmann::json& defaults);

}  // namespace taskd::ctl
