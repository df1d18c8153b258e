#include "daemon/base/random.h"

#include <doctest/doctest.h>

#include <set>

namespace taskd {
namespace {

TEST_CASE("tokens are 32 hex digits and never the same") {
  std::set<std::string> seen;
  for (int i = 0; i < 1000; ++i) {
    const std::string token = random_token();
    CHECK(token.size() == 32);
    CHECK(token.find_first_not_of("0123456789abcdef") == std::string::npos);
    CHECK(seen.insert(token).second);
  }
}

TEST_CASE("unit numbers spread from 0 to just under 1") {
  bool low = false;
  bool high = false;
  for (int i = 0; i < 1000; ++i) {
    const double unit = random_unit();
    CHECK(unit >= 0);
    CHECK(unit < 1);
    low = low || unit < 0.25;
    high = high || unit >= 0.75;
  }
  CHECK(low);
  CHECK(high);
}

}  // namespace
}  // namespace taskd
