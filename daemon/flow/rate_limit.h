// At most so many starts an interval, as a token bucket: `count` tokens, refilled evenly over
// `per_ms`. So `count` tasks may start together after a quiet time, and never more than twice
// `count` within one interval. Pure functions; the bucket is one number, which the caller keeps.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace taskd {

inline constexpr std::int64_t kMaxRateCount = 1'000'000;
inline constexpr std::int64_t kMaxRatePerMs = 366LL * 24 * 3600 * 1000;

struct RateLimit {
  std::int64_t count = 1;      // 1 to kMaxRateCount
  std::int64_t per_ms = 1000;  // 1 to kMaxRatePerMs
  bool operator==(const RateLimit&) const = default;
};

// "10/1m", "5/s", "1/90s": a count, a slash and a duration, or a unit alone for one of it.
std::optional<RateLimit> parse_rate(std::string_view text);
std::string format_rate(const RateLimit& limit);  // "10/1m"

// When the bucket is full again, in ns since 1970 on the wall clock, which goes on over restarts.
// Any time in the past: it is full.
struct Bucket {
  std::int64_t full_at_ns = 0;
};

// When the next start may be; `now` or earlier if at once. A clock that was put back makes nobody
// wait for longer than the bucket takes to fill.
WallTime next_start(const RateLimit& limit, const Bucket& bucket, WallTime now);
// After a start at `now`.
Bucket after_start(const RateLimit& limit, const Bucket& bucket, WallTime now);

}  // namespace taskd
