#include "daemon/limits/estimate.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

TEST_CASE("the typical duration is the middle one, and two say nothing") {
  CHECK_FALSE(typical_ms({}));
  CHECK_FALSE(typical_ms({5, 5}));
  CHECK(typical_ms({1, 1000, 3}) == 3);
}

TEST_CASE("a task starts when those in front of it have had their turn") {
  CHECK(start_in_ms(0, 2, {}, 100) == 0);
  CHECK(start_in_ms(1, 2, {}, 100) == 0);
  CHECK(start_in_ms(2, 2, {}, 100) == 100);
  CHECK(start_in_ms(0, 1, {30}, 100) == 70);
  CHECK(start_in_ms(3, 1, {30}, 100) == 370);
  // Nobody knows when what has run for longer than usual will end.
  CHECK_FALSE(start_in_ms(0, 1, {500}, 100));
  CHECK(start_in_ms(0, 2, {500}, 100) == 0);
  CHECK(start_in_ms(1, 2, {500, 30}, 100) == 170);
  // Two places at once.
  CHECK(start_in_ms(0, 2, {30}, 100, 2) == 70);
  CHECK_FALSE(start_in_ms(0, 2, {500}, 100, 2));
}

}  // namespace
}  // namespace taskd
