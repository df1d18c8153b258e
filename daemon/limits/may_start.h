// What keeps a queue or a key from starting one more task now. Claims ask this, and `why` says it.
// Pure.
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
  std::optional<WallTime> until = {};  // with rate: when time alone lets one start
};
// Of `queue` the settings, the pause and the count of running tasks matter.
std::optional<QueueLimit> find_queue_limit(const QueueInfo& queue, const RecentStarts& starts,
                                           WallTime now);

// How many tasks of a key may start now, whatever their queues.
struct KeyAllowance {
  std::int64_t starts;
  bool by_rate = false;                  // its rate is what allows no more
  std::optional<WallTime> more_at = {};  // when time alone will allow another
};
KeyAllowance key_allowance(std::optional<int> concurrency, std::int64_t running,
                           const std::optional<RateLimit>& rate, const RecentStarts& starts,
                           WallTime now);

}  // namespace taskd
