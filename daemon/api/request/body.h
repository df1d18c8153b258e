// Reads the JSON body of a request.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "daemon/api/request/call.h"

namespace taskd {

// The body must be one strict JSON object. bad_json.
nlohmann::json parse_body(std::string_view body);
// The reason in the body of a pause; other verbs take no fields. 400, 422.
std::string read_reason(const Call& call, bool is_pause);

}  // namespace taskd
