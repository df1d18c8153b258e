// Whether a queue or a key may start one more task now. Shared by claims and `why`. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "daemon/base/clock.h"
#include "daemon/limits/queue.h"
#include "daemon/limits/recent_starts.h"

namespace taskd {

struct QueueLimit {
  enum class Kind { paused, concurrency, rate };
  Kind kind;
  std::optional<WallTime> until = {};  // with rate: when the next start becomes possible
};
// Uses the settings, the pause and the running count of `queue`.
std::optional<QueueLimit> find_queue_limit(const QueueInfo& queue, const RecentStarts& starts,
                                           WallTime now);

// How many tasks of a key may start now, across all queues.
struct KeyAllowance {
  std::int64_t starts;
  bool by_rate = false;                  // the rate is the limiting factor
  std::optional<WallTime> more_at = {};  // when the rate allows another start
};
KeyAllowance key_allowance(std::optional<int> concurrency, std::int64_t running,
                           const std::optional<RateLimit>& rate, const RecentStarts& starts,
                           WallTime now);

}  // namespace taskd
