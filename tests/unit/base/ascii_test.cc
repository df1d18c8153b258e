#include "daemon/base/ascii.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

using Parts = std::vector<std::string_view>;

TEST_CASE("letters, digits and tokens are those of ASCII") {
  CHECK(to_lower("Content-TYPE \xc3\x84") == "content-type \xc3\x84");
  CHECK(trim_blanks(" \t a b\t ") == "a b");
  CHECK(trim_blanks(" \t") == "");
  CHECK(is_token("x-Ab_9~"));
  for (const char* const text : {"", "a b", "a:", "a\xc3\xa4", "(a)"}) CHECK_FALSE(is_token(text));
  CHECK(hex_digit('9') == 9);
  CHECK(hex_digit('f') == 15);
  CHECK(hex_digit('A') == 10);
  CHECK(hex_digit('g') == -1);
}

TEST_CASE("a list keeps its empty parts, but an empty text has none") {
  CHECK(split("", ',') == Parts{});
  CHECK(split("a", ',') == Parts{"a"});
  CHECK(split("a,,b,", ',') == Parts{"a", "", "b", ""});
}

}  // namespace
}  // namespace taskd
