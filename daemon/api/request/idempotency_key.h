// When two requests count as the same.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/api/request/call.h"

namespace taskd {

// The call's key, validated. 400.
const std::string& checked_key(const Call& call);
// What the call asks for: the path, and the body normalised, so that the order of fields and blanks
// do not matter.
std::string meaning_of(const Call& call, const nlohmann::json& body);
// From the call's header. 400.
void set_idempotency_key(const Call& call, const nlohmann::json& body, SubmitRequest& request);

}  // namespace taskd
