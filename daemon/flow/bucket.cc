#include "daemon/flow/bucket.h"

#include <algorithm>

namespace taskd {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

std::int64_t interval_ns(const RateLimit& limit) {
  return limit.per_ms * kNsPerMs;
}

// What one start takes out. Rounded up, so the rate is never exceeded in the long run.
std::int64_t one_ns(const RateLimit& limit) {
  return (interval_ns(limit) + limit.count - 1) / limit.count;
}

// What is still missing from a full bucket, in the time it takes to refill.
std::int64_t missing_ns(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  return std::clamp<std::int64_t>(bucket.full_at_ns - now.ms * kNsPerMs, 0, interval_ns(limit));
}

// All of the tokens but one may be missing; where rounding adds up to more than one, fewer start.
std::int64_t may_miss_ns(const RateLimit& limit) {
  return std::min((limit.count - 1) * one_ns(limit), interval_ns(limit) - 1);
}

std::int64_t wait_ms(std::int64_t ns) {
  return ns <= 0 ? 0 : (ns + kNsPerMs - 1) / kNsPerMs;
}

}  // namespace

WallTime next_start(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  return now + wait_ms(missing_ns(limit, bucket, now) - may_miss_ns(limit));
}

std::int64_t starts_left(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  const std::int64_t spare_ns = may_miss_ns(limit) - missing_ns(limit, bucket, now);
  return spare_ns < 0 ? 0 : spare_ns / one_ns(limit) + 1;
}

std::optional<WallTime> next_gain(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  const std::int64_t may_miss =
      may_miss_ns(limit) - starts_left(limit, bucket, now) * one_ns(limit);
  if (may_miss < 0) return std::nullopt;
  return now + wait_ms(missing_ns(limit, bucket, now) - may_miss);
}

Bucket after_rewind(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  return {std::min(bucket.full_at_ns, now.ms * kNsPerMs + interval_ns(limit))};
}

Bucket after_start(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  return {now.ms * kNsPerMs + missing_ns(limit, bucket, now) + one_ns(limit)};
}

}  // namespace taskd
