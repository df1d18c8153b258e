// A clock that tests set.
#pragma once

#include <atomic>
#include <cstdint>

#include "daemon/base/clock.h"

namespace taskd::test {

class FakeClock final : public Clock {
 public:
  WallTime wall_now() const override {
    ++reads;
    reads.notify_all();
    return {wall_ms.load()};
  }
  BootTime boot_now() const override { return {boot_ms.load()}; }
  std::atomic<std::int64_t> wall_ms{1'700'000'000'000};
  std::atomic<std::int64_t> boot_ms{1'000'000};
  mutable std::atomic<int> reads{0};  // reads of the wall clock
};

}  // namespace taskd::test
