#include "daemon/schedule/cron.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

Cron read(std::string_view text) {
  auto result = parse_cron(text);
  const auto* error = std::get_if<CronError>(&result);
  REQUIRE_MESSAGE(error == nullptr, text);
  return std::get<Cron>(result);
}

CronError refused(std::string_view text) {
  auto result = parse_cron(text);
  REQUIRE_MESSAGE(std::holds_alternative<CronError>(result), text);
  return std::get<CronError>(result);
}

template <std::size_t N>
std::string members(const std::bitset<N>& set) {
  std::string text;
  for (std::size_t i = 0; i < N; ++i) {
    if (set[i]) text += (text.empty() ? "" : " ") + std::to_string(i);
  }
  return text;
}

TEST_CASE("each field takes numbers, lists, ranges and steps") {
  const Cron cron = read("0,30 8-10 1,15-17 */4 1-5/2");
  CHECK(members(cron.minutes) == "0 30");
  CHECK(members(cron.hours) == "8 9 10");
  CHECK(members(cron.days) == "1 15 16 17");
  CHECK(members(cron.months) == "1 5 9");
  CHECK(members(cron.weekdays) == "1 3 5");
  CHECK(members(read("05 00 01 01 *").minutes) == "5");
}

TEST_CASE("names of months and days are taken in any case, and a week may end with its Sunday") {
  CHECK(members(read("0 0 * jan,MAR-May *").months) == "1 3 4 5");
  CHECK(members(read("0 0 * * Fri-sun").weekdays) == "0 5 6");
  CHECK(members(read("0 0 * * 5-7").weekdays) == "0 5 6");
  CHECK(members(read("0 0 * * 7").weekdays) == "0");
  CHECK(members(read("0 0 * * 0-7").weekdays) == "0 1 2 3 4 5 6");
}

TEST_CASE("the @words stand for their lines") {
  CHECK(members(read("@hourly").hours) == members(read("0 * * * *").hours));
  CHECK(read("@hourly").every_hour);
  CHECK(members(read("@daily").minutes) == "0");
  CHECK(members(read("@midnight").hours) == "0");
  CHECK(members(read("@weekly").weekdays) == "0");
  CHECK(members(read("@Monthly").days) == "1");
  CHECK(members(read("@yearly").months) == "1");
  CHECK(members(read("@annually").months) == "1");
}

TEST_CASE("day of month and day of week: either when both are given, else the given one") {
  const Cron both = read("0 0 13 * fri");
  CHECK(both.matches_day(3, 13, 1));
  CHECK(both.matches_day(3, 6, 5));
  CHECK_FALSE(both.matches_day(3, 6, 1));
  const Cron day = read("0 0 13 * *");
  CHECK(day.matches_day(3, 13, 1));
  CHECK_FALSE(day.matches_day(3, 6, 5));
  const Cron weekday = read("0 0 * * 5");
  CHECK(weekday.matches_day(3, 6, 5));
  CHECK_FALSE(weekday.matches_day(3, 13, 1));
  const Cron month = read("0 0 * 2 *");
  CHECK(month.matches_day(2, 29, 0));
  CHECK_FALSE(month.matches_day(3, 1, 0));
}

TEST_CASE("what is wrong is named with its field") {
  struct Case {
    const char* text;
    const char* field;
    const char* detail;
  };
  const Case cases[] = {
      {"60 * * * *", "minute", "60 is not in 0-59"},
      {"* 24 * * *", "hour", "24 is not in 0-23"},
      {"* * 0 * *", "day of month", "0 is not in 1-31"},
      {"* * * 13 *", "month", "13 is not in 1-12"},
      {"* * * * 8", "day of week", "8 is not in 0-7"},
      {"* * * foo *", "month", "\"foo\" is not a number or a name"},
      {"x * * * *", "minute", "\"x\" is not a number"},
      {"-1 * * * *", "minute", "\"\" is not a number"},
      {"1,,2 * * * *", "minute", "\"\" is not a number"},
      {"30-10 * * * *", "minute", "the range \"30-10\" goes backwards"},
      {"*/0 * * * *", "minute", "\"0\" is not a step of 1 or more"},
      {"*/x * * * *", "minute", "\"x\" is not a step of 1 or more"},
      {"5/10 * * * *", "minute", "a step needs a range or '*', not \"5\""},
      {"99999999999 * * * *", "minute", "\"99999999999\" is not a number"},
      {"* * 31 2 *", "day of month", "no month given has such a day: this never fires"},
      {"* * 31 2,4,6,9,11 *", "day of month", "no month given has such a day: this never fires"},
      {"* * L * *", "day of month", "\"L\" is not a number"},
      {"* * * *", "", "expected 5 fields (minute, hour, day of month, month, day of week), not 4"},
      {"0 * * * * *", "",
       "expected 5 fields (minute, hour, day of month, month, day of week), not 6"},
      {"", "", "expected 5 fields (minute, hour, day of month, month, day of week), not 0"},
      {"@reboot", "",
       "\"@reboot\" is not one of @yearly @annually @monthly @weekly @daily @midnight @hourly"},
  };
  for (const Case& bad : cases) {
    CAPTURE(bad.text);
    const CronError error = refused(bad.text);
    CHECK(error.field == bad.field);
    CHECK(error.detail == bad.detail);
  }
  CHECK(refused(std::string(5000, '*')).detail == "longer than 1024 bytes");
}

TEST_CASE("blanks, tabs and a CR around and between the fields are those of a crontab") {
  for (const char* line : {"0\t3\t*\t*\t1-5", "  0 3  * * 1-5 ", "0 3 * * 1-5\r", "0 3 * * 1-5\r\n"}) {
    CHECK(members(read(line).weekdays) == "1 2 3 4 5");
    CHECK(tidy_cron(line) == "0 3 * * 1-5");
  }
  CHECK(members(read("\t@daily \r").minutes) == "0");
  CHECK(tidy_cron(" @daily ") == "@daily");
  CHECK(refused(" \t ").detail.starts_with("expected 5 fields"));
}

TEST_CASE("a step beyond its range is refused of a new line, and kept of an old one") {
  for (const char* line : {"*/90 * * * *", "* */25 * * *", "* * */32 * *", "* * * */13 *",
                           "* * * * */9", "10-40/32 * * * *", "0,*/61 * * * *"}) {
    read(line);
    const auto result = parse_new_cron(line);
    REQUIRE_MESSAGE(std::holds_alternative<CronError>(result), line);
    CHECK(std::get<CronError>(result).detail.starts_with("the step "));
  }
  for (const char* line : {"*/60 * * * *", "* */24 * * *", "10-40/31 * * * *", "*/59 * * * *"})
    CHECK(std::holds_alternative<Cron>(parse_new_cron(line)));
}

TEST_CASE("a day that one of the months has, or any weekday, makes a line that fires") {
  read("0 0 31 1,2 *");
  read("0 0 29 2 *");
  read("0 0 31 2 mon");
}

}  // namespace
}  // namespace taskd
