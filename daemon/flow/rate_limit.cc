#include "daemon/flow/rate_limit.h"

#include <algorithm>

#include "daemon/base/text.h"

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

std::optional<std::int64_t> parse_interval_ms(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool has_number = text.front() >= '0' && text.front() <= '9';
  return parse_duration_ms(has_number ? std::string(text) : "1" + std::string(text));
}

}  // namespace

std::optional<RateLimit> parse_rate(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto count = parse_int(text.substr(0, slash));
  const auto per_ms = parse_interval_ms(text.substr(slash + 1));
  if (!count || *count < 1 || *count > kMaxRateCount) return std::nullopt;
  if (!per_ms || *per_ms < 1 || *per_ms > kMaxRatePerMs) return std::nullopt;
  return RateLimit{*count, *per_ms};
}

std::string format_rate(const RateLimit& limit) {
  return std::to_string(limit.count) + "/" + format_duration_ms(limit.per_ms);
}

WallTime next_start(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  // All of the tokens but one may be missing; where rounding adds up to more than one, fewer start.
  const std::int64_t may_miss_ns =
      std::min((limit.count - 1) * one_ns(limit), interval_ns(limit) - 1);
  const std::int64_t wait_ns = missing_ns(limit, bucket, now) - may_miss_ns;
  return wait_ns <= 0 ? now : now + (wait_ns + kNsPerMs - 1) / kNsPerMs;
}

Bucket after_start(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  return {now.ms * kNsPerMs + missing_ns(limit, bucket, now) + one_ns(limit)};
}

}  // namespace taskd
