// JSON <-> what StartConstraints is made of. Pure functions. The options themselves are in
// option_values.h.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/ascii.h"
#include "daemon/task/start_constraints.h"
#include "daemon/task/submit_limits.h"

namespace taskd {

class FieldReader;

// A letter or digit, then up to 31 of letters, digits, '_' and '-'.
bool is_valid_resource_name(std::string_view name);

// A reader of what somebody sent; see field_reader.h.
void read_rate_limit(FieldReader&, const nlohmann::json& value, const std::string& at, RateLimit&);

nlohmann::json rate_to_json(const std::optional<RateLimit>& rate);  // null without one
// What rate_to_json() wrote. Throws nlohmann::json::exception for anything else.
RateLimit rate_from_json(const nlohmann::json& value);

}  // namespace taskd
