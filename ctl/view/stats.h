// The answer of GET /v1/stats.
#pragma once

#include <cstdint>
#include <iterator>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "daemon/limits/demand.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

struct QueueCounts {
  std::string name;
  std::int64_t capacity = 0;
  std::optional<std::int64_t> concurrency;
  bool has_rate = false;
  bool paused = false;
  bool draining = false;
  std::int64_t counts[std::size(kAllStates)] = {};  // by State
  std::int64_t count(State state) const { return counts[static_cast<std::size_t>(state)]; }
  // Tasks that count against the capacity: neither ended nor running.
  std::int64_t waiting() const;
  // Queued tasks that neither a pause nor a limit holds back. 0 with a rate, since that is unknown.
  std::int64_t startable() const;
};

// The file system under the daemon's state directory.
struct DiskRoom {
  std::int64_t free_bytes = 0;
  std::int64_t needed_bytes = 0;  // with less, the daemon is full, or soon will be
  bool writable = false;
};

// A resource that the configuration declares.
struct ResourceUse {
  std::string name;
  std::int64_t amount = 0;
  std::int64_t used = 0;
  std::vector<std::string> used_units;  // if indexed
};

// A wall clock that jumped ahead and is not trusted yet.
struct DoubtedClock {
  std::int64_t ahead_ms = 0;
  WallTime believed_at;
};

struct Stats {
  std::string daemon_version;
  std::optional<WallTime> started_at;
  std::int64_t workers_total = 0;
  std::int64_t workers_busy = 0;
  std::vector<QueueCounts> queues;
  std::vector<ResourceUse> resources;
  std::optional<DiskRoom> disk;  // empty from an older daemon
  std::optional<DoubtedClock> clock;
  std::int64_t events_of_removed_tasks = -1;  // -1: not counted yet
  int slots_total = Machine::kUnlimitedSlots;
  std::int64_t total(State state) const;
  // Its totals, without the units.
  Machine machine() const;
  std::int64_t startable() const;
};

// Throws Failure (76).
Stats read_stats(const nlohmann::json& json);

}  // namespace taskd::ctl
