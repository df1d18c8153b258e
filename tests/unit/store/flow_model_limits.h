// What limits the starts of a queue's tasks and of a key's, stated anew and simply.
#pragma once

#include <algorithm>
#include <limits>
#include <optional>

#include "daemon/task/task_flow.h"

namespace taskd {

// Tokens, counted in the time that refills them: in whole milliseconds, since the intervals of
// these histories divide evenly. A change of the rate leaves the moment at which it is full, unless
// that is later than an empty one would be.
struct ModelBucket {
  std::optional<RateLimit> rate;
  std::int64_t full_at_ms = 0;

  void set(std::optional<RateLimit> to, std::int64_t now_ms) {
    rate = to;
    if (rate) full_at_ms = std::min(full_at_ms, now_ms + rate->per_ms);
  }
  std::int64_t token_ms() const { return rate->per_ms / rate->count; }
  std::int64_t missing_ms(std::int64_t now_ms) const {
    return std::clamp<std::int64_t>(full_at_ms - now_ms, 0, rate->per_ms);
  }
  std::int64_t left(std::int64_t now_ms) const {
    if (!rate) return std::numeric_limits<int>::max();
    return (rate->per_ms - missing_ms(now_ms)) / token_ms();
  }
  void take(std::int64_t now_ms) {
    if (rate) full_at_ms = now_ms + missing_ms(now_ms) + token_ms();
  }
  // Of one that is empty.
  std::int64_t next_token_at(std::int64_t now_ms) const {
    return now_ms + missing_ms(now_ms) - (rate->per_ms - token_ms());
  }
};

struct ModelLimits {
  std::optional<int> running;
  ModelBucket bucket;

  // How many may start now, while so many run.
  std::int64_t left(int runs, std::int64_t now_ms) const {
    const std::int64_t tokens = bucket.left(now_ms);
    return running ? std::clamp<std::int64_t>(*running - runs, 0, tokens) : tokens;
  }
};

struct ModelQueue {
  ModelLimits limits;
  bool paused = false;
  int weight = 1;
  std::int64_t pass = 0;  // what its turns came to
};

}  // namespace taskd
