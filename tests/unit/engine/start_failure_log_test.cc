#include "daemon/engine/start_failure_log.h"

#include <doctest/doctest.h>

#include <cerrno>

#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

TEST_CASE("a refusal is news when its error changes, and once a minute") {
  FakeClock clock;
  StartFailureLog start_failures(clock);
  CHECK(start_failures.is_news(ENOENT));
  CHECK_FALSE(start_failures.is_news(ENOENT));
  CHECK(start_failures.is_news(EACCES));
  CHECK(start_failures.is_news(ENOENT));
  clock.boot_ms += 59'999;
  CHECK_FALSE(start_failures.is_news(ENOENT));
  clock.boot_ms += 1;
  CHECK(start_failures.is_news(ENOENT));
  CHECK_FALSE(start_failures.is_news(ENOENT));
}
