// Signs a webhook's requests, so that the receiver can tell that they come from this daemon, and
// when they were made.
#pragma once

#include <string>
#include <string_view>

namespace taskd {

// "sha256=" and the HMAC-SHA256 of "TIMESTAMP.BODY" in hex. Throws std::runtime_error.
std::string hook_signature(std::string_view secret, std::string_view timestamp,
                           std::string_view body);

}  // namespace taskd
