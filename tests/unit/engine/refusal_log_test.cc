#include "daemon/engine/refusal_log.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "tests/unit/engine/fakes.h"

using namespace taskd;
using namespace taskd::test;

TEST_CASE("a refusal is news when its error changes, and once a minute") {
  FakeClock clock;
  RefusalLog refusals(clock);
  CHECK(refusals.is_news(ENOENT));
  CHECK_FALSE(refusals.is_news(ENOENT));
  CHECK(refusals.is_news(EACCES));
  CHECK(refusals.is_news(ENOENT));
  clock.boot_ms += 59'999;
  CHECK_FALSE(refusals.is_news(ENOENT));
  clock.boot_ms += 1;
  CHECK(refusals.is_news(ENOENT));
  CHECK_FALSE(refusals.is_news(ENOENT));
}
