#include "daemon/flow/rate_limit.h"

#include <algorithm>

#include "daemon/base/text.h"

namespace taskd {
namespace {

std::int64_t interval_us(const RateLimit& limit) {
  return limit.per_ms * 1000;
}

// What is still missing from a full bucket, in the time it takes to refill.
std::int64_t missing_us(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  return std::clamp<std::int64_t>(bucket.full_at_us - now.ms * 1000, 0, interval_us(limit));
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
  // One token must be there: all but one of them may be missing.
  const std::int64_t one_us = interval_us(limit) / limit.count;
  const std::int64_t wait_us = missing_us(limit, bucket, now) - (interval_us(limit) - one_us);
  return wait_us <= 0 ? now : now + (wait_us + 999) / 1000;
}

Bucket after_start(const RateLimit& limit, const Bucket& bucket, WallTime now) {
  const std::int64_t one_us = interval_us(limit) / limit.count;
  return {now.ms * 1000 + missing_us(limit, bucket, now) + one_us};
}

}  // namespace taskd
