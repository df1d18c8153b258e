#include "daemon/base/text.h"

#include <doctest/doctest.h>

#include <limits>

namespace taskd {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

TEST_CASE("durations are read with falling units, and bare numbers are seconds") {
  CHECK(parse_duration_ms("90s") == 90 * kSecond);
  CHECK(parse_duration_ms("15m") == 15 * kMinute);
  CHECK(parse_duration_ms("1h30m") == 90 * kMinute);
  CHECK(parse_duration_ms("250ms") == 250);
  CHECK(parse_duration_ms("2d") == 2 * kDay);
  CHECK(parse_duration_ms("1d2h3m4s5ms") == kDay + 2 * kHour + 3 * kMinute + 4 * kSecond + 5);
  CHECK(parse_duration_ms("1m500ms") == kMinute + 500);
  CHECK(parse_duration_ms("0") == 0);
  CHECK(parse_duration_ms("90") == 90 * kSecond);
  CHECK(parse_duration_ms("3650d") == kMaxDurationMs);
  CHECK(parse_duration_ms("007s") == 7 * kSecond);
}

TEST_CASE("what is not a duration is refused") {
  for (const char* text : {"",
                           "s",
                           "m5",
                           "-1s",
                           "+1s",
                           " 1s",
                           "1s ",
                           "1 s",
                           "1.5h",
                           "1h30",
                           "30m1h",
                           "1m1m",
                           "5ms1s",
                           "1x",
                           "1hm",
                           "1H",
                           "3651d",
                           "3650d1ms",
                           "315360001",
                           "99999999999999999999s",
                           "9223372036854775807d",
                           "1\xC2\xB5s"}) {
    CAPTURE(text);
    CHECK(parse_duration_ms(text) == std::nullopt);
  }
  CHECK(parse_duration_ms(std::string_view("1s\0", 3)) == std::nullopt);
}

TEST_CASE("durations are written with the largest units first") {
  CHECK(format_duration_ms(0) == "0");
  CHECK(format_duration_ms(5'400'000) == "1h30m");
  CHECK(format_duration_ms(90'000) == "1m30s");
  CHECK(format_duration_ms(1) == "1ms");
  CHECK(format_duration_ms(kDay + 1) == "1d1ms");
  CHECK(format_duration_ms(-kMinute) == "-1m");
  CHECK(format_duration_ms(std::numeric_limits<std::int64_t>::min()).starts_with("-106751991167d"));
}

TEST_CASE("every duration that is written reads back as it was") {
  for (std::int64_t ms = 0; ms <= kMaxDurationMs; ms = ms * 7 / 3 + 1) {
    CAPTURE(ms);
    CHECK(parse_duration_ms(format_duration_ms(ms)) == ms);
  }
}

TEST_CASE("time stamps are read in every zone and precision") {
  const WallTime noon{1'772'366'400'000};  // 2026-03-01T12:00:00Z
  CHECK(parse_rfc3339("2026-03-01T12:00:00Z") == noon);
  CHECK(parse_rfc3339("2026-03-01t12:00:00z") == noon);
  CHECK(parse_rfc3339("2026-03-01T13:30:00+01:30") == noon);
  CHECK(parse_rfc3339("2026-03-01T02:00:00-10:00") == noon);
  CHECK(parse_rfc3339("2026-03-01T12:00:00-00:00") == noon);
  CHECK(parse_rfc3339("2026-03-01T12:00:00.5Z") == noon + 500);
  CHECK(parse_rfc3339("2026-03-01T12:00:00.123456789Z") == noon + 123);
  CHECK(parse_rfc3339("1970-01-01T00:00:00Z") == WallTime{0});
  CHECK(parse_rfc3339("1970-01-01T01:00:00+01:00") == WallTime{0});
  CHECK(parse_rfc3339("2024-02-29T00:00:00Z") == WallTime{1'709'164'800'000});
  CHECK(parse_rfc3339("9999-12-31T23:59:59.999Z") == WallTime{253'402'300'799'999});
}

TEST_CASE("what is not a time stamp is refused") {
  for (const char* text : {"",
                           "2026-03-01",
                           "2026-03-01T12:00:00",    // no zone
                           "2026-03-01 12:00:00Z",   // blank for T
                           "2026-3-1T12:00:00Z",     // short fields
                           "2026-03-01T12:00Z",      // no seconds
                           "2026-02-29T12:00:00Z",   // no such day
                           "2026-04-31T12:00:00Z",   //
                           "2026-13-01T12:00:00Z",   //
                           "2026-00-01T12:00:00Z",   //
                           "2026-03-00T12:00:00Z",   //
                           "2026-03-01T24:00:00Z",   //
                           "2026-03-01T12:60:00Z",   //
                           "2026-12-31T23:59:60Z",   // a leap second
                           "2026-03-01T12:00:00.Z",  // an empty fraction
                           "2026-03-01T12:00:00.1234567890Z",
                           "2026-03-01T12:00:00+24:00",
                           "2026-03-01T12:00:00+01:60",
                           "2026-03-01T12:00:00+0100",
                           "2026-03-01T12:00:00+1:00",
                           "2026-03-01T12:00:00ZZ",
                           "2026-03-01T12:00:00Z ",
                           "+026-03-01T12:00:00Z",
                           "1969-12-31T23:59:59Z",
                           "1970-01-01T00:00:00+00:01",     // before 1970 in UTC
                           "9999-12-31T23:59:59-00:01"}) {  // after 9999 in UTC
    CAPTURE(text);
    CHECK(parse_rfc3339(text) == std::nullopt);
  }
}

TEST_CASE("time stamps are written in UTC with milliseconds") {
  CHECK(format_rfc3339({0}) == "1970-01-01T00:00:00.000Z");
  CHECK(format_rfc3339({1'772'366'400'007}) == "2026-03-01T12:00:00.007Z");
  CHECK(format_rfc3339({253'402'300'799'999}) == "9999-12-31T23:59:59.999Z");
  CHECK(format_rfc3339({std::numeric_limits<std::int64_t>::max()}) == "9999-12-31T23:59:59.999Z");
  CHECK(format_rfc3339({-62'167'219'200'000}) == "0000-01-01T00:00:00.000Z");
  CHECK(format_rfc3339({std::numeric_limits<std::int64_t>::min()}) == "0000-01-01T00:00:00.000Z");
  CHECK(format_rfc3339({-1}) == "1969-12-31T23:59:59.999Z");
  for (std::int64_t ms = 0; ms < 253'402'300'800'000; ms = ms * 3 / 2 + 1) {
    CAPTURE(ms);
    CHECK(parse_rfc3339(format_rfc3339({ms})) == WallTime{ms});
  }
}

TEST_CASE("integers are read without tricks") {
  CHECK(parse_int("0") == 0);
  CHECK(parse_int("-7") == -7);
  CHECK(parse_int("9223372036854775807") == std::numeric_limits<std::int64_t>::max());
  CHECK(parse_int("-9223372036854775808") == std::numeric_limits<std::int64_t>::min());
  for (const char* text : {"", "-", "+1", "-0", "00", "01", "-01", " 1", "1 ", "1.0", "1e3", "0x1",
                           "--1", "9223372036854775808", "a"}) {
    CAPTURE(text);
    CHECK(parse_int(text) == std::nullopt);
  }
}

TEST_CASE("only the one valid encoding of a character is UTF-8") {
  for (const char* text : {"", "plain", "\xC3\xA4", "\xE2\x82\xAC", "\xF0\x9F\x98\x80",
                           "\xED\x9F\xBF", "\xEE\x80\x80", "\xF4\x8F\xBF\xBF"}) {
    CAPTURE(text);
    CHECK(is_valid_utf8(text));
  }
  for (const char* text :
       {"\x80", "\xC3", "\xC0\xAF", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "\xFF", "\xE2\x82", "\xE2\x28\xA1", "a\xC3"}) {
    CAPTURE(text);
    CHECK_FALSE(is_valid_utf8(text));
  }
}

TEST_CASE("text that could steer a terminal or forge a line is escaped") {
  CHECK(escape_for_humans("gr\xC3\xBC\xC3\x9F"
                          "e \xF0\x9F\x98\x80") ==
        "gr\xC3\xBC\xC3\x9F"
        "e \xF0\x9F\x98\x80");
  CHECK(escape_for_humans("a\nb\tc\rd") == "a\\nb\\tc\\x0dd");
  CHECK(escape_for_humans("\x1B[31m") == "\\x1b[31m");
  CHECK(escape_for_humans(std::string_view("\0", 1)) == "\\x00");
  CHECK(escape_for_humans("\x7F") == "\\x7f");
  CHECK(escape_for_humans("\xC2\x9B") == "\\u{009b}");  // C1
  CHECK(escape_for_humans("\xE2\x80\xAE"
                          "abc") == "\\u{202e}abc");        // bidirectional override
  CHECK(escape_for_humans("\xE2\x81\xA6") == "\\u{2066}");  // isolate
  CHECK(escape_for_humans("a\xE2\x80\x8B"
                          "b") == "a\\u{200b}b");  // zero width
  CHECK(escape_for_humans("\xEF\xBB\xBF") == "\\u{feff}");
  CHECK(escape_for_humans("\xF3\xA0\x80\xA0") == "\\u{e0020}");  // tag
  CHECK(escape_for_humans("\xC3(\xFF") == "\\xc3(\\xff");
  CHECK(escape_for_humans("C:\\n") == "C:\\\\n");
}

TEST_CASE("plain text is what escaping leaves alone, and backslashes") {
  for (const char* text : {"", "night build", "a\\b", "\xC3\xA4", " x "}) {
    CAPTURE(text);
    CHECK(is_plain_text(text));
  }
  for (const char* text : {"a\nb", "\x1B", "\xE2\x80\x8E", "\xFF", "\xC2\x80"}) {
    CAPTURE(text);
    CHECK_FALSE(is_plain_text(text));
  }
}

TEST_CASE("words are quoted for the shell only where they must be") {
  for (const char* word : {"ls", "-la", "--color=auto", "/usr/bin/env", "a.b_c:d,e@f%g+h"}) {
    CAPTURE(word);
    CHECK(shell_quote(word) == word);
  }
  CHECK(shell_quote("") == "''");
  CHECK(shell_quote("a b") == "'a b'");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("$HOME") == "'$HOME'");
  CHECK(shell_quote("~") == "'~'");
  CHECK(shell_quote("*") == "'*'");
  CHECK(shell_quote("A=b") == "'A=b'");
  CHECK(shell_quote("\xC3\xA4") == "'\xC3\xA4'");
}

TEST_CASE("the edit distance counts letters added, left out and replaced") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("list", "list") == 0);
  CHECK(edit_distance("", "list") == 4);
  CHECK(edit_distance("list", "") == 4);
  CHECK(edit_distance("lst", "list") == 1);
  CHECK(edit_distance("liist", "list") == 1);
  CHECK(edit_distance("lost", "list") == 1);
  CHECK(edit_distance("lits", "list") == 1);
  CHECK(edit_distance("nmae", "name") == 1);
  CHECK(edit_distance("anme", "nmae") == 2);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("sitting", "kitten") == 3);
}

TEST_CASE("bytes become lower-case hex") {
  CHECK(to_hex("") == "");
  CHECK(to_hex(std::string_view("\x00\x7F\xFF", 3)) == "007fff");
}

TEST_CASE("json with unseen characters escaped means the same") {
  CHECK(escape_json("{\"a\":\"plain \xC3\xA4\"}") == "{\"a\":\"plain \xC3\xA4\"}");
  CHECK(escape_json("\"\x7F\xC2\x9B\xE2\x80\xAE\xF3\xA0\x80\x81\"") ==
        "\"\\u007f\\u009b\\u202e\\udb40\\udc01\"");
  CHECK(escape_json("{\n\t\"a\": \"\\n\"\r\n}") == "{\n\t\"a\": \"\\n\"\r\n}");
}

TEST_CASE("a shell word that cannot be seen is quoted so that it can be typed") {
  CHECK(shell_quote("two\nlines") == "$'two\\nlines'");
  CHECK(shell_quote("caf\xe9's \\") == "$'caf\\351\\'s \\\\'");
  CHECK(shell_quote("\xE2\x80\xAE") == "$'\\342\\200\\256'");
  CHECK(shell_quote("\x01"
                    "1") == "$'\\0011'");
  CHECK(shell_quote("plain words") == "'plain words'");
}

}  // namespace
}  // namespace taskd
