#include "daemon/task/array_range.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

TEST_CASE("an array's indexes are written as a range with a step and a limit") {
  CHECK(parse_array_range("1-100") == ArrayRange{1, 100, 1, 0});
  CHECK(parse_array_range("0-99:3%4") == ArrayRange{0, 99, 3, 4});
  CHECK(parse_array_range("1-100%4") == ArrayRange{1, 100, 1, 4});
  CHECK(parse_array_range("7") == ArrayRange{7, 7, 1, 0});
  for (const char* bad : {"", "-", "1-", "-1", "5-1", "a-b", "1-3%0", "1-3%", "1-3:0", "1-3:-1",
                          "1-3%4:2x", "1,3", "1-2-3", " 1-3", "99999999999999999999"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_array_range(bad));
  }
}

TEST_CASE("a step counts the indexes it meets") {
  const ArrayRange range{0, 10, 3, 0};
  CHECK(range.count() == 4);
  CHECK(range.index(3) == 9);
}

}  // namespace
}  // namespace taskd
