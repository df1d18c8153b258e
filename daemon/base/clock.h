// The two kinds of time, and the seam that lets tests move them.
//
// WallTime is the calendar (CLOCK_REALTIME, may jump); BootTime only moves forward and counts
// suspend (CLOCK_BOOTTIME), zero at boot. They do not convert into each other. Thread-safe.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>

namespace taskd {

struct WallTime {
  std::int64_t ms = 0;  // since 1970-01-01 UTC
  auto operator<=>(const WallTime&) const = default;
};

struct BootTime {
  std::int64_t ms = 0;  // since this boot
  auto operator<=>(const BootTime&) const = default;
};

inline WallTime operator+(WallTime time, std::int64_t ms) {
  return {time.ms + ms};
}
inline BootTime operator+(BootTime time, std::int64_t ms) {
  return {time.ms + ms};
}
inline std::int64_t operator-(WallTime a, WallTime b) {
  return a.ms - b.ms;
}
inline std::int64_t operator-(BootTime a, BootTime b) {
  return a.ms - b.ms;
}

// Empty means never.
inline std::optional<WallTime> earlier(std::optional<WallTime> a, std::optional<WallTime> b) {
  if (!a || !b) return a ? a : b;
  return *a < *b ? a : b;
}

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall_now() const = 0;
  virtual BootTime boot_now() const = 0;
};

class SystemClock final : public Clock {
 public:
  WallTime wall_now() const override;
  BootTime boot_now() const override;
};

// CPU time used by the calling thread.
std::int64_t thread_cpu_us();

// CPU time used by the calling thread, plus the time that other threads worked for it. The calling
// thread adds their time with add_cpu_us_of_others().
std::int64_t cpu_us_for_thread();
void add_cpu_us_of_others(std::int64_t us);

}  // namespace taskd
