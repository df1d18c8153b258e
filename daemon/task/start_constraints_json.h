// Converts the types in start_constraints.h to and from JSON. Pure functions. The options
// themselves are in option_values.h.
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

// A letter or digit, then up to 31 letters, digits, '_' or '-'.
bool is_valid_resource_name(std::string_view name);

// Reads a client's value; see field_reader.h.
void read_rate_limit(FieldReader&, const nlohmann::json& value, const std::string& at, RateLimit&);

nlohmann::json rate_to_json(const std::optional<RateLimit>& rate);  // null if there is none
// Reads what rate_to_json() wrote. Throws nlohmann::json::exception for anything else.
RateLimit rate_from_json(const nlohmann::json& value);

}  // namespace taskd
