// The wall clock, as far as the boot clock bears it out. What is removed for its age goes by it: a
// wall clock that jumps ahead would take everything at once, and nothing brings that back.
//
// After a jump ahead the time goes on from where it was until the jump has lasted for a day, or the
// clock is put right. A clock that is put back is believed at once; it removes nothing.
//
// Thread-safe. `keep` is called without a lock held, by the thread that asked for the time.
#pragma once

#include <functional>
#include <optional>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace taskd {

class TrustedClock final : public Clock {
 public:
  // Less may come of an adjustment, or of a boot clock that drifts.
  static constexpr std::int64_t kSlackMs = 3600 * 1000;
  // A jump that lasts longer is no mistake.
  static constexpr std::int64_t kDoubtMs = 24LL * 3600 * 1000;
  // A machine that was off for longer may as well have a wrong clock.
  static constexpr std::int64_t kUnseenMs = 7LL * 24 * 3600 * 1000;

  // What both clocks showed when the wall clock was last believed, in this boot.
  struct Point {
    WallTime wall;
    BootTime boot;
    std::optional<BootTime> ahead_since = {};  // when the wall clock was first seen ahead of it
    bool operator==(const Point&) const = default;
  };
  // That of a new boot; `last_seen` is the latest time known from before it, if any.
  static Point first_point(const Clock& clock, std::optional<WallTime> last_seen);

  // `clock` must outlive it. `keep` stores each new point, so that a restart does not forget a jump.
  TrustedClock(const Clock& clock, Point point, std::function<void(const Point&)> keep);

  WallTime wall_now() const override;
  BootTime boot_now() const override { return clock_.boot_now(); }

  struct Ahead {
    std::int64_t by_ms = 0;
    WallTime believed_at;  // by the wall clock as it is now
  };
  std::optional<Ahead> ahead() const;

 private:
  const Clock& clock_;
  const std::function<void(const Point&)> keep_;
  mutable Mutex mutex_;
  mutable Point point_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
