// What limits the starts of a queue's tasks and of a key's, stated anew and simply.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>
#include <vector>

#include "daemon/task/start_constraints.h"

namespace taskd {

// Never more than the rate's count in an interval, wherever it begins. What started before the rate
// was changed counts, too.
struct ModelStarts {
  std::optional<RateLimit> rate;
  std::vector<std::int64_t> at_ms = {};

  std::int64_t left(std::int64_t now_ms) const {
    if (!rate) return std::numeric_limits<int>::max();
    const auto counts = [&](std::int64_t at) { return at > now_ms - rate->per_ms; };
    return std::max<std::int64_t>(rate->count - std::count_if(at_ms.begin(), at_ms.end(), counts),
                                  0);
  }
  void take(std::int64_t now_ms) {
    if (!rate) return;  // what starts without a rate is not kept
    std::erase_if(at_ms, [&](std::int64_t at) { return at <= now_ms - rate->per_ms; });
    at_ms.push_back(now_ms);
  }
  // When there will be one left, of one that has none.
  std::int64_t next_at(std::int64_t now_ms) const {
    for (std::int64_t ms = now_ms;; ++ms) {
      if (left(ms) > 0) return ms;
    }
  }
};

struct ModelLimits {
  std::optional<int> running;
  ModelStarts starts;

  // How many may start now, while so many run.
  std::int64_t left(int runs, std::int64_t now_ms) const {
    const std::int64_t allowed = starts.left(now_ms);
    return running ? std::clamp<std::int64_t>(*running - runs, 0, allowed) : allowed;
  }
};

struct ModelQueue {
  ModelLimits limits;
  bool paused = false;
  int weight = 1;
  std::int64_t pass = 0;  // what its turns came to
};

}  // namespace taskd
