#include <doctest/doctest.h>

#include <nlohmann/json.hpp>
#include <string>

#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

using nlohmann::json;

json parsed(std::string_view text) {
  auto result = parse_strict_json(text);
  const auto* error = std::get_if<JsonError>(&result);
  if (error != nullptr) FAIL(error->detail << " at " << error->offset_bytes);
  return std::get<json>(std::move(result));
}

JsonError error_of(std::string_view text) {
  CAPTURE(text);
  auto result = parse_strict_json(text);
  REQUIRE(std::holds_alternative<JsonError>(result));
  auto error = std::get<JsonError>(std::move(result));
  CHECK_FALSE(error.detail.empty());
  CHECK(is_plain_text(error.detail));
  CHECK(error.offset_bytes <= text.size());
  return error;
}

bool mentions(const JsonError& error, std::string_view word) {
  return error.detail.find(word) != std::string::npos;
}

TEST_CASE("a document comes out as it was written") {
  const json document = parsed(
      R"({"a":[1,-2,[],{}],"b":{"c":"x\ny","d":null,"e":true},"f":0.5,"g":[[{"h":[false]}],"i"]})");
  CHECK(
      document.dump() ==
      R"({"a":[1,-2,[],{}],"b":{"c":"x\ny","d":null,"e":true},"f":0.5,"g":[[{"h":[false]}],"i"]})");
  CHECK(parsed(" {} \n") == json::object());
  CHECK(parsed("{\"\xC3\xA4\":\"\\ud83d\\ude00\"}")["\xC3\xA4"] == "\xF0\x9F\x98\x80");
  CHECK(parsed(R"({"a":18446744073709551615,"b":-9223372036854775808})")["a"].is_number_integer());
}

TEST_CASE("only one object is a document") {
  for (const char* text :
       {"", " ", "[]", "1", "\"a\"", "null", "true", "{}{}", "{} x", "{}]", "[{}]", "1.5"}) {
    error_of(text);
  }
  CHECK(mentions(error_of("[]"), "must be one object"));
}

TEST_CASE("a byte order mark before the document is refused by its name") {
  const JsonError error = error_of("\xEF\xBB\xBF{}");
  CHECK(mentions(error, "byte order mark"));
  CHECK(error.offset_bytes == 0);
}

TEST_CASE("loose syntax is refused") {
  for (const char* text : {"{",
                           "}",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{\"a\":[1,]}",
                           "{a:1}",
                           "{'a':1}",
                           "{\"a\":1 \"b\":2}",
                           "{\"a\":01}",
                           "{\"a\":+1}",
                           "{\"a\":.5}",
                           "{\"a\":1.}",
                           "{\"a\":NaN}",
                           "{\"a\":Infinity}",
                           "{\"a\":tru}",
                           "{\"a\":\"x}",
                           "{\"a\":\"\\q\"}",
                           "{\"a\":\"\n\"}",
                           "{\"a\":1}//x",
                           "/**/{}",
                           "{\"a\":0x10}"}) {
    error_of(text);
  }
}

TEST_CASE("a field that stands twice is refused by its name") {
  const JsonError error = error_of(R"({"queue":"a","name":"b","queue":"c"})");
  CHECK(mentions(error, "duplicate field \"queue\""));
  CHECK(error.offset_bytes == 31);
  CHECK(mentions(error_of(R"({"env":{"A":"1","A":"1"}})"), "\"A\""));
  CHECK(mentions(error_of("{\"a\":1,\"\\u0061\":2}"), "\"a\""));
  CHECK(parsed(R"({"a":{"x":1},"b":{"x":1}})").size() == 2);
}

TEST_CASE("nesting is bounded at 32 levels") {
  const auto nested = [](std::size_t arrays) {
    return "{\"a\":" + std::string(arrays, '[') + std::string(arrays, ']') + "}";
  };
  CHECK(parsed(nested(31)).size() == 1);
  CHECK(mentions(error_of(nested(32)), "32 levels"));
  CHECK(mentions(error_of(nested(100'000)), "32 levels"));
  CHECK(mentions(error_of("{\"a\":" + std::string(500'000, '[')), "32 levels"));
}

TEST_CASE("text that is not Unicode, or holds NUL, is refused") {
  for (const char* text : {"{\"a\":\"\xFF\"}", "{\"a\":\"\xC3\"}", "{\"a\":\"\xED\xA0\x80\"}",
                           "{\"\xC0\xAF\":1}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\udc00\"}",
                           "{\"a\":\"\\ud800\\u0041\"}", "{\xFF}", "\xFF"}) {
    error_of(text);
  }
  CHECK(mentions(error_of(R"({"a":"x\u0000y"})"), "u0000"));
  CHECK(mentions(error_of(R"({"\u0000":1})"), "u0000"));
  error_of(std::string_view("{\"a\":\"\0\"}", 9));
  error_of(std::string_view("{}\0", 3));
  CHECK(error_of(std::string_view("{}\0{}", 5)).offset_bytes == 2);
}

TEST_CASE("numbers that do not fit are refused") {
  CHECK(mentions(error_of(R"({"a":18446744073709551616})"), "too large"));
  CHECK(mentions(error_of(R"({"a":-9223372036854775809})"), "too large"));
  error_of(R"({"a":1e999})");
  CHECK(parsed(R"({"a":1e3})")["a"].is_number_float());
}

TEST_CASE("the error says how far the reader came") {
  CHECK(error_of("{\"a\":tru }").offset_bytes == 8);
  CHECK(error_of("{\"a\":").offset_bytes == 5);
  CHECK(error_of("").offset_bytes == 0);
}

TEST_CASE("the error is said in few words, however long the text is that it is about") {
  const std::string many(60'000, '1');
  CHECK(error_of("{\"a\":tru }").detail == "invalid literal");
  CHECK(error_of("{\"a\":1]").detail == "unexpected ']'; expected '}'");
  CHECK(error_of("{\"a\":" + many + "}").detail == "the number is too large");
  CHECK(error_of("{\"a\":" + many + "e99999}").detail == "the number is too large");
  for (const std::string& text : {"{\"a\":\"" + many + "\xff\"}", "{\"" + many + "\x01\":1}",
                                  "{\"" + many + "\":1,\"" + many + "\":1}", "{" + many + "}"}) {
    const JsonError error = error_of(text);
    CHECK_FALSE(error.detail.empty());
    CHECK_MESSAGE(error.detail.size() < 200, error.detail.substr(0, 300));
  }
}

TEST_CASE("no cut and no changed byte of a document does harm") {
  const std::string good = R"({"argv":["a\u00e4",1,-2.5e3],"env":{"K":"v"},"n":null,"t":[true]})";
  for (std::size_t length = 0; length < good.size(); ++length) error_of(good.substr(0, length));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string bad = good;
      bad[at] = static_cast<char>(byte);
      const auto result = parse_strict_json(bad);
      const auto* document = std::get_if<json>(&result);
      if (document != nullptr) CHECK(document->is_object());
    }
  }
}

TEST_CASE("any one value can be read as strictly") {
  CHECK(std::get<json>(parse_strict_value("17")) == 17);
  CHECK(std::get<json>(parse_strict_value(" \"a\" ")) == "a");
  CHECK(std::get<json>(parse_strict_value("[{}]")).size() == 1);
  for (const char* text : {"", "1 2", "{\"a\":1,\"a\":2}", "nul", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK(std::holds_alternative<JsonError>(parse_strict_value(text)));
  }
}

}  // namespace
}  // namespace taskd
