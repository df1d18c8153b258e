// SHA-256. Thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace taskd {

// 64 lower-case hex digits: tells one request's body from another.
std::string sha256_hex(std::string_view bytes);

// What is stored and compared of the secret that an attempt's job has: 32 hex digits, from which
// nobody can find the secret again.
std::string token_of(std::string_view secret);

}  // namespace taskd
