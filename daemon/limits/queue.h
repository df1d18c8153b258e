// A queue's settings and state. Plain data, shared by the daemon and taskctl.
#pragma once

#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/task/notify.h"
#include "daemon/task/rate_limit.h"
#include "daemon/task/state.h"

namespace taskd {

inline constexpr std::int64_t kMaxQueueCapacity = 1'000'000'000;
inline constexpr int kMaxConcurrency = 100'000;
inline constexpr std::size_t kMaxPauseReasonBytes = 200;

struct QueueSettings {
  std::string name;
  std::int64_t capacity = 100'000;  // waiting tasks; further ones are refused
  std::optional<int> concurrency;   // running tasks; empty = limited by the workers only
  std::optional<RateLimit> rate;    // of starts
  int weight = 1;                   // share of the workers relative to other queues
  std::vector<Notify> notify = {};  // hooks for all its tasks, in addition to the tasks' own
  std::string defaults = "{}";      // defaults for fields that its tasks omit: a JSON object
};

// The settings to change; the others stay.
struct QueuePatch {
  std::string name;
  std::optional<std::int64_t> capacity = {};
  std::optional<std::optional<int>> concurrency = {};
  std::optional<std::optional<RateLimit>> rate = {};
  std::optional<int> weight = {};
  std::optional<std::vector<Notify>> notify = {};
  std::optional<std::string> defaults = {};
  // If set, changes nothing unless the queue still has these defaults, from which the new ones were
  // derived.
  std::optional<std::string> defaults_were = {};
};

struct QueuePause {
  WallTime at;
  std::uint32_t uid = 0;
  std::string reason;  // "" = none given
};

struct QueueInfo {
  QueueSettings settings;
  std::optional<QueuePause> paused;                 // set: nothing starts
  bool draining = false;                            // refuses new tasks
  std::int64_t counts[std::size(kAllStates)] = {};  // by State

  std::int64_t& count(State state) { return counts[static_cast<std::size_t>(state)]; }
  std::int64_t count(State state) const { return counts[static_cast<std::size_t>(state)]; }
  // Tasks that wait to run: these count against the capacity.
  std::int64_t waiting() const {
    return count(State::scheduled) + count(State::blocked) + count(State::held) +
           count(State::queued);
  }
};

}  // namespace taskd
