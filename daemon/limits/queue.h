// A queue's settings and what people did to it. Plain data, shared by the daemon and taskctl.
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
  std::int64_t capacity = 100'000;  // waiting tasks; more are refused
  std::optional<int> concurrency;   // running tasks; empty = as many as there are workers
  std::optional<RateLimit> rate;    // of starts
  int weight = 1;                   // its share of the workers beside other queues
  std::vector<Notify> notify = {};  // who is told of its tasks, beside whom they name themselves
  std::string defaults = "{}";      // what its tasks take that say nothing else: fields, in JSON
};

// What is set anew; the rest stays.
struct QueuePatch {
  std::string name;
  std::optional<std::int64_t> capacity = {};
  std::optional<std::optional<int>> concurrency = {};
  std::optional<std::optional<RateLimit>> rate = {};
  std::optional<int> weight = {};
  std::optional<std::vector<Notify>> notify = {};
  std::optional<std::string> defaults = {};
  // Nothing is set unless these are its defaults; they are what the new ones were made of.
  std::optional<std::string> defaults_were = {};
};

struct QueuePause {
  WallTime at;
  std::uint32_t uid = 0;
  std::string reason;  // "" = none given
};

struct QueueInfo {
  QueueSettings settings;
  std::optional<QueuePause> paused;  // nothing is started
  bool draining = false;             // nothing is taken
  std::int64_t counts[std::size(kAllStates)] = {};  // by State

  std::int64_t& count(State state) { return counts[static_cast<std::size_t>(state)]; }
  std::int64_t count(State state) const { return counts[static_cast<std::size_t>(state)]; }
  // Tasks that wait to run: what the capacity limits.
  std::int64_t waiting() const {
    return count(State::scheduled) + count(State::blocked) + count(State::held) +
           count(State::queued);
  }
};

}  // namespace taskd
