#include "daemon/base/trusted_clock.h"

#include <utility>

namespace taskd {
namespace {

using Point = TrustedClock::Point;

// The wall clock's value if it had advanced evenly.
WallTime expected(const Point& point, BootTime boot) {
  return point.wall + (boot - point.boot);
}

Point advance(const Point& point, WallTime wall, BootTime boot) {
  const std::int64_t ahead_ms = wall - expected(point, boot);
  if (ahead_ms < 0) return {wall, boot};
  if (ahead_ms <= TrustedClock::kSlackMs) return {point.wall, point.boot};
  if (!point.ahead_since) return {point.wall, point.boot, boot};
  if (boot - *point.ahead_since >= TrustedClock::kDoubtMs) return {wall, boot};
  return point;
}

}  // namespace

Point TrustedClock::first_point(const Clock& clock, std::optional<WallTime> last_seen) {
  const WallTime wall = clock.wall_now();
  const BootTime boot = clock.boot_now();
  if (!last_seen || wall - *last_seen <= kUnseenMs) return {wall, boot};
  return {*last_seen, boot, boot};
}

TrustedClock::TrustedClock(const Clock& clock, Point point, std::function<void(const Point&)> keep)
    : clock_(clock), keep_(std::move(keep)), point_(point) {}

WallTime TrustedClock::wall_now() const {
  const WallTime wall = clock_.wall_now();
  const BootTime boot = clock_.boot_now();
  Point point;
  bool is_new = false;
  {
    const MutexLock lock(mutex_);
    point = advance(point_, wall, boot);
    // Small adjustments of the clock are not worth a write each.
    const bool moved = point.wall != point_.wall || point.ahead_since != point_.ahead_since;
    const bool jumped_back = expected(point_, boot) - wall > kSlackMs;
    is_new = moved && (jumped_back || point.ahead_since != point_.ahead_since);
    point_ = point;
  }
  if (is_new) keep_(point);
  return point.ahead_since ? expected(point, boot) : wall;
}

std::optional<TrustedClock::Ahead> TrustedClock::ahead() const {
  const MutexLock lock(mutex_);
  if (!point_.ahead_since) return std::nullopt;
  const WallTime wall = clock_.wall_now();
  const BootTime boot = clock_.boot_now();
  const std::int64_t doubted_ms = boot - *point_.ahead_since;
  return Ahead{wall - expected(point_, boot), wall + (kDoubtMs - doubted_ms)};
}

}  // namespace taskd
