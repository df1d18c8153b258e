// SHA-256, for telling one request's body from another.
#pragma once

#include <string>
#include <string_view>

namespace taskd {

// 64 lower-case hex digits. Thread-safe.
std::string sha256_hex(std::string_view bytes);

}  // namespace taskd
