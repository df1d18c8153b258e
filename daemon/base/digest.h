// SHA-256. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace taskd {

// 64 lower-case hex digits. Used to compare request bodies.
std::string sha256_hex(std::string_view bytes);

// The token derived from a job's secret: 32 hex digits. The store keeps and compares only the
// token, which does not reveal the secret.
std::string token_of(std::string_view secret);

}  // namespace taskd
