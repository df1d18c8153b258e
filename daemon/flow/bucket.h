// A rate limit as a token bucket: `count` tokens, refilled evenly over `per_ms`. So `count` tasks
// may start together after a quiet time, and never more than twice `count` within one interval.
// Pure functions; the bucket is one number, which the caller keeps.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/base/clock.h"
#include "daemon/task/rate_limit.h"

namespace taskd {

// When the bucket is full again, in ns since 1970 on the wall clock, which goes on over restarts.
// Any time in the past: it is full.
struct Bucket {
  std::int64_t full_at_ns = 0;
};

// When the next start may be; `now` or earlier if at once.
WallTime next_start(const RateLimit& limit, const Bucket& bucket, WallTime now);
// How many may start at `now`, one after the other.
std::int64_t starts_left(const RateLimit& limit, const Bucket& bucket, WallTime now);
// When that will be one more; nothing if it never is without a start.
std::optional<WallTime> next_gain(const RateLimit& limit, const Bucket& bucket, WallTime now);
// After the clock was put back to `now`: nobody waits for longer than the bucket takes to fill.
Bucket after_rewind(const RateLimit& limit, const Bucket& bucket, WallTime now);
// After a start at `now`.
Bucket after_start(const RateLimit& limit, const Bucket& bucket, WallTime now);

}  // namespace taskd
