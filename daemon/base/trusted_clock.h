// The wall clock, checked against the boot clock. The pruner uses it: if the wall clock jumped
// ahead, the pruner would otherwise remove every ended task at once, for good.
//
// After a jump ahead, the trusted time continues from where it was until the jump has lasted a day
// or somebody corrects the clock. It follows a clock that is set back at once, because that removes
// nothing.
//
// Thread-safe. `keep` is called without a lock held, on the thread that asked for the time.
#pragma once

#include <functional>
#include <optional>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace taskd {

class TrustedClock final : public Clock {
 public:
  // Clock adjustments and boot clock drift stay below this.
  static constexpr std::int64_t kSlackMs = 3600 * 1000;
  // A jump that lasts longer is taken as correct.
  static constexpr std::int64_t kDoubtMs = 24LL * 3600 * 1000;
  // If the machine was off for longer, its clock may well be wrong.
  static constexpr std::int64_t kUnseenMs = 7LL * 24 * 3600 * 1000;

  // Both clocks at the moment when the wall clock was last trusted, in this boot.
  struct Point {
    WallTime wall;
    BootTime boot;
    std::optional<BootTime> ahead_since = {};  // when the wall clock was first seen to be ahead
    bool operator==(const Point&) const = default;
  };
  // The first point of a new boot; `last_seen` is the latest time known from before it, if any.
  static Point first_point(const Clock& clock, std::optional<WallTime> last_seen);

  // `clock` must outlive this object. `keep` stores each new point, so that jumps survive a
  // restart.
  TrustedClock(const Clock& clock, Point point, std::function<void(const Point&)> keep);

  WallTime wall_now() const override;
  BootTime boot_now() const override { return clock_.boot_now(); }

  struct Ahead {
    std::int64_t by_ms = 0;
    WallTime believed_at;  // on the current wall clock
  };
  std::optional<Ahead> ahead() const;

 private:
  const Clock& clock_;
  const std::function<void(const Point&)> keep_;
  mutable Mutex mutex_;
  mutable Point point_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
