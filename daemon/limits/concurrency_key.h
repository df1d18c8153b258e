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
  std::int64_t id = 0;  // in the order of their first tasks
  std::uint32_t uid = 0;
  std::string name;
  std::optional<int> limit;       // running at once; empty = no limit
  std::optional<RateLimit> rate;  // of starts
  // Its tasks that run, that wait for a worker, and that it holds back itself; the latter two are
  // counted up to kMaxCountedOfKey.
  std::int64_t running = 0;
  std::int64_t queued = 0;
  std::int64_t blocked = 0;
  std::optional<WallTime> next_start_at;  // set while its rate holds some back
};

// What is set anew; the rest stays.
struct KeyPatch {
  std::string name;
  std::optional<std::uint32_t> uid = {};  // whose; empty = the only one of this name
  std::optional<std::optional<int>> limit = {};
  std::optional<std::optional<RateLimit>> rate = {};
};

}  // namespace taskd
