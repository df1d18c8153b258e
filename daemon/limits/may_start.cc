#include "daemon/limits/may_start.h"

#include <algorithm>

namespace taskd {
namespace {

// Tasks beyond what can run at once need not be ready to start.
constexpr std::int64_t kMaxStarts = 1024;

}  // namespace

std::optional<QueueLimit> find_queue_limit(const QueueInfo& queue, const RecentStarts& starts,
                                           WallTime now) {
  if (queue.paused) return QueueLimit{QueueLimit::Kind::paused};
  const QueueSettings& settings = queue.settings;
  if (settings.concurrency && queue.count(State::running) >= *settings.concurrency) {
    return QueueLimit{QueueLimit::Kind::concurrency};
  }
  if (!settings.rate) return std::nullopt;
  const WallTime next = next_start(*settings.rate, starts, now);
  return next > now ? std::optional(QueueLimit{QueueLimit::Kind::rate, next}) : std::nullopt;
}

KeyAllowance key_allowance(std::optional<int> concurrency, std::int64_t running,
                           const std::optional<RateLimit>& rate, const RecentStarts& starts,
                           WallTime now) {
  std::int64_t allowed = kMaxStarts;
  if (concurrency) allowed = std::max<std::int64_t>(0, *concurrency - running);
  if (!rate) return {allowed};
  const std::int64_t left = starts_left(*rate, starts, now);
  if (left >= allowed) return {allowed};
  return {left, /*by_rate=*/true, next_gain(*rate, starts, now)};
}

}  // namespace taskd
