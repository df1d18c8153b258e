#include "daemon/task/rate_limit.h"

#include "daemon/base/text.h"

namespace taskd {
namespace {

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

}  // namespace taskd
