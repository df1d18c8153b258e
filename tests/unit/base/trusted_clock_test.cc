#include "daemon/base/trusted_clock.h"

#include <doctest/doctest.h>

#include <vector>

namespace taskd {
namespace {

constexpr std::int64_t kHourMs = 3600 * 1000;
constexpr std::int64_t kDayMs = 24 * kHourMs;

struct Hands final : Clock {
  WallTime wall_now() const override { return wall; }
  BootTime boot_now() const override { return boot; }
  void pass(std::int64_t ms) {
    wall = wall + ms;
    boot = boot + ms;
  }
  WallTime wall{1'700'000'000'000};
  BootTime boot{1000};
};

struct TrustedClockFixture {
  TrustedClock trusted_from(std::optional<WallTime> last_seen) {
    return {hands, TrustedClock::first_point(hands, last_seen),
            [this](const TrustedClock::Point& point) { kept.push_back(point); }};
  }
  Hands hands;
  std::vector<TrustedClock::Point> kept;
};

TEST_CASE_FIXTURE(TrustedClockFixture, "while both clocks agree the wall clock is believed") {
  const TrustedClock clock = trusted_from({});
  for (int i = 0; i < 100; ++i) {
    hands.pass(10 * kDayMs);
    hands.wall = hands.wall + (i % 2 == 0 ? 500 : -500);  // as adjustments do
    CHECK(clock.wall_now() == hands.wall);
  }
  CHECK(kept.empty());
  CHECK_FALSE(clock.ahead());
}

TEST_CASE_FIXTURE(TrustedClockFixture, "a second jump during the first is one that began with it") {
  const TrustedClock clock = trusted_from({});
  const WallTime before = hands.wall;
  hands.wall = hands.wall + 60 * kDayMs;
  CHECK(clock.wall_now() == before);
  hands.pass(12 * kHourMs);
  hands.wall = hands.wall + 400 * kDayMs;
  CHECK(clock.wall_now() == before + 12 * kHourMs);
  CHECK(kept.size() == 1);
  hands.pass(12 * kHourMs);
  CHECK(clock.wall_now() == hands.wall);
  CHECK(kept.size() == 2);
  hands.pass(kDayMs);
  CHECK(clock.wall_now() == hands.wall);
}

TEST_CASE_FIXTURE(TrustedClockFixture, "a clock that is put back is believed, and the way back is a jump") {
  const TrustedClock clock = trusted_from({});
  const WallTime before = hands.wall;
  hands.wall = before + -2 * kDayMs;
  CHECK(clock.wall_now() == hands.wall);
  CHECK(kept.size() == 1);
  hands.wall = before;
  CHECK(clock.wall_now() == before + -2 * kDayMs);
  CHECK(clock.ahead()->by_ms == 2 * kDayMs);
}

TEST_CASE_FIXTURE(TrustedClockFixture, "after a reboot a week without a sign of life is a jump") {
  CHECK(trusted_from(hands.wall + -6 * kDayMs).wall_now() == hands.wall);
  CHECK(trusted_from(hands.wall + kDayMs).wall_now() == hands.wall);
  const TrustedClock clock = trusted_from(hands.wall + -60 * kDayMs);
  CHECK(clock.wall_now() == hands.wall + -60 * kDayMs);
  hands.pass(kDayMs);
  CHECK(clock.wall_now() == hands.wall);
}

}  // namespace
}  // namespace taskd
