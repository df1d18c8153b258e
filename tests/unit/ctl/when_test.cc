#include "ctl/options/when.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <ctime>
#include <string>

#include "ctl/options/flag_values.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

// Makes `zone` this process's local time for a while.
class LocalZone {
 public:
  explicit LocalZone(const char* zone) {
    const char* const old = std::getenv("TZ");
    if (old != nullptr) old_ = old;
    had_ = old != nullptr;
    ::setenv("TZ", zone, 1);
    ::tzset();
  }
  ~LocalZone() {
    if (had_)
      ::setenv("TZ", old_.c_str(), 1);
    else
      ::unsetenv("TZ");
    ::tzset();
  }

 private:
  bool had_ = false;
  std::string old_;
};

// Central European time as a rule of its own, so that no zone files are needed.
constexpr char kBerlin[] = "CET-1CEST,M3.5.0,M10.5.0/3";

WallTime at(const char* rfc3339) {
  return parse_rfc3339(rfc3339).value();
}

std::string time_of(const char* text, const char* now = "2026-06-15T10:00:00Z") {
  return format_rfc3339(time_flag("--at", text, at(now)));
}

}  // namespace

TEST_CASE("a duration flag says what a duration looks like") {
  CHECK(duration_flag("--delay", "1h30m") == 5'400'000);
  CHECK(duration_flag("--delay", "5") == 5000);
  try {
    duration_flag("--delay", "soon");
    FAIL("not a duration");
  } catch (const UsageError& e) {
    CHECK(e.exit_code == 64);
    CHECK(std::string(e.what()).find("--delay: \"soon\"") != std::string::npos);
  }
}

TEST_CASE("a duration or a rate out of range is told from one that is none") {
  const auto message = [](auto call) -> std::string {
    try {
      call();
    } catch (const UsageError& e) {
      CHECK(e.exit_code == 64);
      return e.what();
    }
    return "taken";
  };
  for (const char* text : {"3651d", "999999999d", "99999999999999999999", "1d99999999999h"}) {
    CAPTURE(text);
    CHECK(message([&] { duration_flag("--delay", text); }) ==
          "--delay: \"" + std::string(text) + "\" is out of range: at most 3650d");
  }
  CHECK(message([] { duration_flag("--delay", "3650d"); }) == "taken");
  CHECK(message([] { duration_flag("--delay", "-5s"); }).find("is not a duration") !=
        std::string::npos);
  for (const char* text : {"1000001/1s", "0/s", "1/367d", "1/0s", "2/1s,burst=3"}) {
    CAPTURE(text);
    CHECK(message([&] { rate_value("--rate", text); }) ==
          "--rate: \"" + std::string(text) +
              "\" is out of range: from 1 to 1,000,000 starts, in 1ms to 366d, a burst from "
              "1 to the count");
  }
  CHECK(message([] { rate_value("--rate", "10"); }).find("is not a count and a time") !=
        std::string::npos);
}

TEST_CASE("--at takes RFC 3339, a local date and a local time of day") {
  const LocalZone zone(kBerlin);
  CHECK(time_of("2026-03-01T12:00:00Z") == "2026-03-01T12:00:00.000Z");
  CHECK(time_of("2026-03-01T12:00:00+05:30") == "2026-03-01T06:30:00.000Z");
  CHECK(time_of("2026-03-01 12:00") == "2026-03-01T11:00:00.000Z");
  CHECK(time_of("2026-07-01 12:00:30") == "2026-07-01T10:00:30.000Z");
  CHECK(time_of("2026-07-01T12:00") == "2026-07-01T10:00:00.000Z");
}

TEST_CASE("a time of day means the next one") {
  const LocalZone zone(kBerlin);  // it is 12:00 there
  CHECK(time_of("12:01") == "2026-06-15T10:01:00.000Z");
  CHECK(time_of("12:00") == "2026-06-16T10:00:00.000Z");
  CHECK(time_of("03:00") == "2026-06-16T01:00:00.000Z");
  CHECK(time_of("23:59:59") == "2026-06-15T21:59:59.000Z");
  CHECK(time_of("00:00", "2026-12-31T22:00:00Z") == "2026-12-31T23:00:00.000Z");
}

TEST_CASE("a local time that a clock change skips does not exist") {
  const LocalZone zone(kBerlin);
  CHECK_THROWS_AS(time_of("2026-03-29 02:30"), UsageError);
  CHECK(time_of("2026-03-29 03:00") == "2026-03-29T01:00:00.000Z");
  // As a time of day it is the next one that does exist.
  CHECK(time_of("02:30", "2026-03-29T00:30:00Z") == "2026-03-30T00:30:00.000Z");
}

TEST_CASE("of a local time that comes twice the first is meant") {
  const LocalZone zone(kBerlin);
  CHECK(time_of("2026-10-25 02:30") == "2026-10-25T00:30:00.000Z");
  CHECK(time_of("2026-10-25 03:00") == "2026-10-25T02:00:00.000Z");
}

TEST_CASE("what is no time is refused") {
  const LocalZone zone("UTC0");
  for (const char* text : {"", "noon", "24:00", "12:60", "1:00", "12", "2026-02-30 12:00",
                           "2026-13-01 12:00", "2026-03-01", "1969-01-01 00:00", "12:00 ",
                           "2026-03-01 12:00Z", "2026-03-01T12:00:60Z", "+12:00"}) {
    CAPTURE(text);
    CHECK_THROWS_AS(time_of(text), UsageError);
  }
}

TEST_CASE("--since counts back from now") {
  const LocalZone zone(kBerlin);
  const WallTime now = at("2026-06-15T10:00:00Z");
  const auto since = [&](const char* text) {
    return format_rfc3339(since_flag("--since", text, now));
  };
  CHECK(since("2h") == "2026-06-15T08:00:00.000Z");
  CHECK(since("12:00") == "2026-06-15T10:00:00.000Z");
  CHECK(since("12:01") == "2026-06-14T10:01:00.000Z");
  CHECK(since("2026-06-01 00:00") == "2026-05-31T22:00:00.000Z");
  CHECK_THROWS_AS(since("yesterday"), UsageError);
}

TEST_CASE("spans are said in the right unit") {
  CHECK(format_span(-5) == "0ms");
  CHECK(format_span(999) == "999ms");
  CHECK(format_span(3250) == "3.2s");
  CHECK(format_span(59'999) == "59s");
  CHECK(format_span(60'000) == "1m");
  CHECK(format_span(125'000) == "2m05s");
  CHECK(format_span(2 * 3'600'000 + 5 * 60'000) == "2h05m");
  CHECK(format_span(5LL * 86'400'000 + 4 * 3'600'000) == "5d4h");
  const WallTime now{1'000'000'000};
  CHECK(format_relative(now, now) == "now");
  CHECK(format_relative(now + 60'000, now) == "in 1m");
  CHECK(format_relative(now + 59'001, now) == "in 1m");
  CHECK(format_relative(now + (90 * 60'000 - 5), now) == "in 1h30m");
  CHECK(format_relative(now + (86'400'000 - 5), now) == "in 1d");
  CHECK(format_relative(now + 2'001, now) == "in 2.1s");
  CHECK(format_relative(now + -60'000, now) == "1m ago");
}

TEST_CASE("local times are shown in the local zone") {
  const LocalZone zone(kBerlin);
  CHECK(format_local(at("2026-06-15T10:00:00Z")) == "2026-06-15 12:00:00");
}
