// What makes two requests the same.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/api/request/call.h"

namespace taskd {

// The call's key, once it is known to be one. 400.
const std::string& checked_key(const Call& call);
// What the call asks for: where, and its body by what it means, so that neither the order of fields
// nor blanks count.
std::string meaning_of(const Call& call, const nlohmann::json& body);
// From the call's header. 400.
void set_idempotency_key(const Call& call, const nlohmann::json& body, SubmitRequest& request);

}  // namespace taskd
