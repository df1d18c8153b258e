#include "daemon/base/clock.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

TEST_CASE("boot time never goes back and the calendar is past 2020") {
  const SystemClock clock;
  const BootTime first = clock.boot_now();
  CHECK(first.ms > 0);
  CHECK(clock.boot_now() >= first);
  CHECK(clock.wall_now() > WallTime{1'577'836'800'000});
}

TEST_CASE("times move by milliseconds and their differences are milliseconds") {
  CHECK(WallTime{1000} + 500 == WallTime{1500});
  CHECK(BootTime{1500} - BootTime{1000} == 500);
}

}  // namespace
}  // namespace taskd
