#include "daemon/task/rate_limit.h"

#include "daemon/base/text.h"

namespace taskd {
namespace {

constexpr std::string_view kBurst = "burst=";

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
  const std::size_t comma = text.find(',', slash);
  const auto per_ms = parse_interval_ms(text.substr(slash + 1, comma - slash - 1));
  if (!count || *count < 1 || *count > kMaxRateCount) return std::nullopt;
  if (!per_ms || *per_ms < 1 || *per_ms > kMaxRatePerMs) return std::nullopt;
  if (comma == std::string_view::npos) return RateLimit{*count, *per_ms};
  const std::string_view burst_text = text.substr(comma + 1);
  if (!burst_text.starts_with(kBurst)) return std::nullopt;
  const auto burst = parse_int(burst_text.substr(kBurst.size()));
  if (!burst || *burst < 1 || *burst > *count) return std::nullopt;
  return RateLimit{*count, *per_ms, *burst};
}

std::string format_rate(const RateLimit& limit) {
  std::string text = std::to_string(limit.count) + "/" + format_duration_ms(limit.per_ms);
  if (limit.burst) text += "," + std::string(kBurst) + std::to_string(*limit.burst);
  return text;
}

}  // namespace taskd
