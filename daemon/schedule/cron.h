// A cron line as sets of numbers: what POSIX crontab(5) has, with the names, steps and @words that
// every cron adds. Calendar only: zones and instants are in slots.h. Pure functions.
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
  bool every_hour = false;   // the hour field begins with '*': it means hours that pass, not times
  bool any_day = false;      // the day field begins with '*'
  bool any_weekday = false;  // the weekday field begins with '*'

  // Both day fields given: either may match. One of them '*': the other decides. POSIX, crontab,
  // "the day of month and day of week fields"; that "*/2" counts as '*' is Vixie cron's reading.
  bool matches_day(int month, int day, int weekday) const;
};

struct CronError {
  std::string field;   // "minute", "hour", "day of month", "month", "day of week", or "" for all
  std::string detail;  // "60 is not in 0-59"
};

// Five fields of lists, ranges, steps ("*/5", "10-40/10"), names of months and days (three letters,
// any case), Sunday as 0 or 7; or @yearly @annually @monthly @weekly @daily @midnight @hourly.
// Blanks and tabs stand between the fields and may stand around the line.
// Refused with the field: everything else, and what never comes (31 February).
std::variant<Cron, CronError> parse_cron(std::string_view text);

// The same for a line that somebody gives now. Refused, too, is a step beyond its range: "*/90" of
// the minutes reads as every 90 minutes but would fire at minute 0 of each hour. Lines that were
// accepted before this was refused go on as they are.
std::variant<Cron, CronError> parse_new_cron(std::string_view text);

// The line as it is kept: one blank between its fields, none around them.
std::string tidy_cron(std::string_view text);

}  // namespace taskd
