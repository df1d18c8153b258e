// Randomness from the kernel. Thread-safe.
#pragma once

#include <cstdint>
#include <string>

namespace taskd {

// 128 random bits as 32 lower-case hex digits: fencing tokens. Throws std::system_error.
std::string random_token();

// Uniform in [0, 1). Throws std::system_error.
double random_unit();

}  // namespace taskd
