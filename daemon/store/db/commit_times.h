// How long the writer's transactions keep it busy: CPU time of its thread from BEGIN to the end of
// COMMIT, without the time spent waiting for the disk. For /v1/stats and the benchmark.
//
// Thread-safe: the writer adds, anybody reads.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace taskd {

struct CommitTimesUs {
  std::int64_t count = 0;
  std::int64_t waiting = 0;  // commands that wait for a transaction
  // At most an eighth too high; 0 before the first.
  std::int64_t p50 = 0;
  std::int64_t p99 = 0;
  std::int64_t p999 = 0;
  std::int64_t max = 0;
};

class CommitTimes {
 public:
  void add(std::int64_t us);
  CommitTimesUs summary() const;

 private:
  static constexpr std::size_t kBuckets = 8 * 61;  // eight for each power of two
  std::array<std::atomic<std::int64_t>, kBuckets> counts_{};
  std::atomic<std::int64_t> max_us_ = 0;
};

}  // namespace taskd
