// A limit on starts per interval, and how people write it. limits/recent_starts.h applies it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace taskd {

inline constexpr std::int64_t kMaxRateCount = 1'000'000;
inline constexpr std::int64_t kMaxRatePerMs = 366LL * 24 * 3600 * 1000;

struct RateLimit {
  std::int64_t count = 1;      // 1 to kMaxRateCount
  std::int64_t per_ms = 1000;  // 1 to kMaxRatePerMs
  // How many may start together after a quiet time, 1 to `count`; empty = all of them.
  std::optional<std::int64_t> burst = {};
  bool operator==(const RateLimit&) const = default;
};

// "10/1m", "5/s", "1/90s": a count, a slash, and a duration or a single unit; optionally a burst:
// "10/1m,burst=2".
std::optional<RateLimit> parse_rate(std::string_view text);
std::string format_rate(const RateLimit& limit);  // as parse_rate() reads it

}  // namespace taskd
