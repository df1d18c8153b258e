// A key's limits and what they hold back. Plain data, shared by the daemon and taskctl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/task/rate_limit.h"

namespace taskd {

inline constexpr std::int64_t kMaxCountedOfKey = 10'000;

struct KeyInfo {
  std::int64_t id = 0;  // in the order in which keys first appeared
  std::uint32_t uid = 0;
  std::string name;
  std::optional<int> limit;       // running at once; empty = no limit
  std::optional<RateLimit> rate;  // of starts
  // Tasks that run, that wait for a worker, and that this key holds back. The latter two are
  // counted up to kMaxCountedOfKey.
  std::int64_t running = 0;
  std::int64_t queued = 0;
  std::int64_t blocked = 0;
  std::optional<WallTime> next_start_at;  // set while the rate holds tasks back
};

// The settings to change; the others stay.
struct KeyPatch {
  std::string name;
  std::optional<std::uint32_t> uid = {};  // the owner; empty = the only key of this name
  std::optional<std::optional<int>> limit = {};
  std::optional<std::optional<RateLimit>> rate = {};
};

}  // namespace taskd
