// Kernel attributes of a task's process. Plain data, passed to the shim as is.
#pragma once

#include <cstdint>

namespace taskd {

inline constexpr std::uint32_t kDefaultUmask = 022;
inline constexpr std::int32_t kMaxNice = 19;

struct ProcessAttributes {
  std::uint32_t umask = kDefaultUmask;
  std::int32_t nice = 0;  // at most kMaxNice; the shim never goes below the daemon's own nice value
  bool operator==(const ProcessAttributes&) const = default;
};

}  // namespace taskd
