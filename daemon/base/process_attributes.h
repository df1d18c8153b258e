// What a task's process is given by the kernel. Plain data, which goes to the shim as it is.
#pragma once

#include <cstdint>

namespace taskd {

inline constexpr std::uint32_t kDefaultUmask = 022;
inline constexpr std::int32_t kMaxNice = 19;

struct ProcessAttributes {
  std::uint32_t umask = kDefaultUmask;
  std::int32_t nice = 0;  // at least this, up to kMaxNice; never less than the daemon's own
  bool operator==(const ProcessAttributes&) const = default;
};

}  // namespace taskd
