// A cron line as sets of numbers: POSIX crontab(5) plus the common extensions (names, steps,
// @words). Calendar only; slots.h deals with zones and instants. Pure functions.
#pragma once

#include <bitset>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

namespace taskd {

inline constexpr std::size_t kMaxCronBytes = 1024;

struct Cron {
  std::bitset<60> minutes;
  std::bitset<24> hours;
  std::bitset<32> days;      // of the month; 0 is never set
  std::bitset<13> months;    // 0 is never set
  std::bitset<7> weekdays;   // 0 = Sunday
  bool every_hour = false;   // the hour field begins with '*': follows elapsed time (see slots.h)
  bool any_day = false;      // the day field begins with '*'
  bool any_weekday = false;  // the weekday field begins with '*'

  // If both day fields are given, either may match; if one is '*', the other decides (POSIX
  // crontab, "the day of month and day of week fields"). Counting "*/2" as '*' follows Vixie cron.
  bool matches_day(int month, int day, int weekday) const;
};

struct CronError {
  // "minute", "hour", "day of month", "month", "day of week", or "" for the whole line
  std::string field;
  std::string detail;  // "60 is not in 0-59"
};

// Five fields of lists, ranges, steps ("*/5", "10-40/10"), names of months and days (three letters,
// any case), Sunday as 0 or 7; or @yearly @annually @monthly @weekly @daily @midnight @hourly.
// Blanks and tabs separate fields and may surround the line. Rejects everything else, and dates
// that never occur (31 February), naming the field.
std::variant<Cron, CronError> parse_cron(std::string_view text);

// The same for new lines, but also rejects a step larger than its range: minutes "*/90" looks like
// every 90 minutes but would fire at minute 0 of each hour. Lines accepted before this rule keep
// working.
std::variant<Cron, CronError> parse_new_cron(std::string_view text);

// The normalised line: one blank between fields, none around them.
std::string tidy_cron(std::string_view text);

}  // namespace taskd
