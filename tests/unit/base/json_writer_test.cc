#include "daemon/base/json_writer.h"

#include <doctest/doctest.h>

#include <limits>
#include <nlohmann/json.hpp>

namespace taskd {
namespace {

using nlohmann::json;

template <class Value>
std::string written(const Value& value) {
  JsonWriter writer;
  writer.value(value);
  return writer.take();
}

TEST_CASE("any text comes back from the JSON that was written of it") {
  std::string every_ascii;
  for (int c = 0; c <= 0x7f; ++c) every_ascii += static_cast<char>(c);
  for (const std::string& text :
       {std::string(), every_ascii, std::string("ends in \\"), std::string("\"\n\"\\\\\x1f"),
        std::string("größer \xf0\x9f\x98\x80")}) {
    CAPTURE(text);
    CHECK(json::parse(written(text)) == json(text));
    CHECK(json::parse(written(std::map<std::string, std::string>{{text, text}})) ==
          json{{text, text}});
  }
}

TEST_CASE("numbers come back exactly") {
  for (const std::int64_t number : {std::numeric_limits<std::int64_t>::min(), std::int64_t{-1},
                                    std::int64_t{0}, std::numeric_limits<std::int64_t>::max()}) {
    CHECK(json::parse(written(number)).get<std::int64_t>() == number);
  }
  CHECK(written(std::uint32_t{4'294'967'294}) == "4294967294");
  for (const double number : {0.1, 1.0 / 3, 1.0, 5e-324, 1e308}) {
    CHECK(json::parse(written(number)).get<double>() == number);
  }
}

TEST_CASE("what is empty is written as such, and commas stand between neighbours only") {
  JsonWriter writer;
  writer.begin('{');
  writer.member("none", std::optional<int>());
  writer.member("list", std::vector<std::string>());
  writer.member("nested", std::map<std::string, std::vector<std::string>>{{"a", {"x", "y"}}});
  writer.key("objects");
  writer.begin('[');
  for (int i = 0; i < 2; ++i) {
    writer.begin('{');
    writer.end('}');
  }
  writer.end(']');
  writer.member("yes", true);
  writer.raw(R"("more":1,"and":[])");
  writer.member("last", "text");
  writer.end('}');
  CHECK(writer.take() == R"({"none":null,"list":[],"nested":{"a":["x","y"]},"objects":[{},{}],)"
                         R"("yes":true,"more":1,"and":[],"last":"text"})");
}

}  // namespace
}  // namespace taskd
