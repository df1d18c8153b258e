#include "ctl/options/when.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ctime>

#include "ctl/base/failure.h"
#include "ctl/options/flag_values.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::int64_t kSecond = 1000;
constexpr std::int64_t kMinute = 60 * kSecond;
constexpr std::int64_t kHour = 60 * kMinute;
constexpr std::int64_t kDay = 24 * kHour;

// Takes `count` digits and the separator after them ('\0' = none) off the front; returns -1 if they
// are missing.
int take_digits(std::string_view& text, std::size_t count, char separator) {
  if (text.size() < count) return -1;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (text[i] < '0' || text[i] > '9') return -1;
    value = value * 10 + (text[i] - '0');
  }
  text.remove_prefix(count);
  if (separator == '\0') return value;
  if (text.empty() || text.front() != separator) return -1;
  text.remove_prefix(1);
  return value;
}

bool take_time_of_day(std::string_view& text, std::tm& tm) {
  tm.tm_hour = take_digits(text, 2, ':');
  tm.tm_min = take_digits(text, 2, '\0');
  tm.tm_sec = 0;
  if (text.starts_with(':')) {
    text.remove_prefix(1);
    tm.tm_sec = take_digits(text, 2, '\0');
  }
  return tm.tm_hour >= 0 && tm.tm_hour < 24 && tm.tm_min >= 0 && tm.tm_min < 60 && tm.tm_sec >= 0 &&
         tm.tm_sec < 60;
}

bool take_date(std::string_view& text, std::tm& tm) {
  const int year = take_digits(text, 4, '-');
  const int month = take_digits(text, 2, '-');
  const int day = take_digits(text, 2, '\0');
  if (year < 1970 || month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (text.empty() || (text.front() != ' ' && text.front() != 'T')) return false;
  text.remove_prefix(1);
  tm.tm_year = year - 1900;
  tm.tm_mon = month - 1;
  tm.tm_mday = day;
  return true;
}

// The first instant with the local time `wanted`; nothing if the date does not exist or the time is
// skipped.
std::optional<WallTime> from_local(const std::tm& wanted) {
  std::optional<WallTime> first;
  for (const int daylight : {1, 0}) {
    std::tm tm = wanted;
    tm.tm_isdst = daylight;
    const std::time_t time = std::mktime(&tm);  // maps other local times to existing ones
    if (time < 0 || tm.tm_min != wanted.tm_min || tm.tm_hour != wanted.tm_hour ||
        tm.tm_mday != wanted.tm_mday || tm.tm_mon != wanted.tm_mon || tm.tm_year != wanted.tm_year)
      continue;
    const WallTime found{std::int64_t{time} * kSecond};
    if (!first || found < *first) first = found;
  }
  return first;
}

std::tm local_date(WallTime time) {
  const std::time_t seconds = static_cast<std::time_t>(time.ms / kSecond);
  std::tm tm{};
  ::localtime_r(&seconds, &tm);
  return tm;
}

// `step` = 1: the next time of day at or after `now`; -1: the latest at or before `now`.
std::optional<WallTime> nearest(const std::tm& time_of_day, WallTime now, int step) {
  std::tm tm = local_date(now);
  const int today = tm.tm_mday;
  tm.tm_hour = time_of_day.tm_hour;
  tm.tm_min = time_of_day.tm_min;
  tm.tm_sec = time_of_day.tm_sec;
  for (int days = 0; days <= 2; ++days) {
    std::tm noon = tm;  // computes the date at noon, away from clock changes
    noon.tm_mday = today + days * step;
    noon.tm_hour = 12;
    noon.tm_isdst = -1;
    std::mktime(&noon);
    std::tm wanted = noon;
    wanted.tm_hour = tm.tm_hour;
    wanted.tm_min = tm.tm_min;
    wanted.tm_sec = tm.tm_sec;
    const auto found = from_local(wanted);
    if (found && (step > 0 ? *found > now : *found <= now)) return found;
  }
  return std::nullopt;
}

std::optional<WallTime> parse_when(std::string_view text, WallTime now, int step) {
  if (const auto time = parse_rfc3339(text)) return time;
  std::tm tm{};
  std::string_view rest = text;
  if (take_time_of_day(rest, tm) && rest.empty()) return nearest(tm, now, step);
  rest = text;
  tm = {};
  if (take_date(rest, tm) && take_time_of_day(rest, tm) && rest.empty()) return from_local(tm);
  return std::nullopt;
}

[[noreturn]] void fail(std::string_view flag, std::string_view text, const char* wanted) {
  throw UsageError(kExitUsage,
                   std::string(flag) + ": \"" + escape_for_humans(text) + "\" is not " + wanted);
}

std::string two_units(std::int64_t big, const char* big_unit, std::int64_t small,
                      const char* small_unit, const char* small_format) {
  std::string out = std::to_string(big) + big_unit;
  if (small == 0) return out;
  std::array<char, 32> buffer;
  std::snprintf(buffer.data(), buffer.size(), small_format, static_cast<long long>(small));
  return out.append(buffer.data()).append(small_unit);
}

}  // namespace

std::int64_t duration_flag(std::string_view flag, std::string_view text) {
  if (const auto ms = parse_duration_ms(text)) return *ms;
  const bool too_long = is_out_of_range(std::string(text), [](const std::string& ones) {
    return parse_duration_ms(ones).has_value();
  });
  if (too_long)
    throw UsageError(kExitUsage, std::string(flag) + ": " + in_quotes(text) +
                                     " is out of range: at most " +
                                     format_duration_ms(kMaxDurationMs));
  fail(flag, text, "a duration such as 90s, 15m or 1h30m");
}

WallTime time_flag(std::string_view flag, std::string_view text, WallTime now) {
  const auto time = parse_when(text, now, 1);
  if (!time)
    throw UsageError(kExitUsage, std::string(flag) + ": cannot read " + in_quotes(text) +
                                     " as a time that exists; try 18:00, \"2026-12-24 18:00\" or "
                                     "2026-12-24T18:00:00Z");
  return *time;
}

WallTime since_flag(std::string_view flag, std::string_view text, WallTime now) {
  if (const auto ms = parse_duration_ms(text)) return {std::max<std::int64_t>(now.ms - *ms, 0)};
  const auto time = parse_when(text, now, -1);
  if (!time) fail(flag, text, "a duration such as 2h, or a time such as \"2026-03-01 12:00\"");
  return *time;
}

std::string format_local(WallTime time) {
  const std::tm tm = local_date(time);
  std::array<char, 32> buffer;
  const std::size_t length = std::strftime(buffer.data(), buffer.size(), "%F %T", &tm);
  return {buffer.data(), length};
}

std::string format_span(std::int64_t ms) {
  ms = std::max<std::int64_t>(ms, 0);
  if (ms < kSecond) return std::to_string(ms) + "ms";
  if (ms < 10 * kSecond)
    return std::to_string(ms / kSecond) + "." + std::to_string(ms % kSecond / 100) + "s";
  if (ms < kMinute) return std::to_string(ms / kSecond) + "s";
  if (ms < kHour) return two_units(ms / kMinute, "m", ms % kMinute / kSecond, "s", "%02lld");
  if (ms < kDay) return two_units(ms / kHour, "h", ms % kHour / kMinute, "m", "%02lld");
  return two_units(ms / kDay, "d", ms % kDay / kHour, "h", "%lld");
}

std::string format_relative(WallTime time, WallTime now) {
  const std::int64_t ms = time - now;
  if (ms > -kSecond && ms < kSecond) return "now";
  if (ms < 0) return format_span(-ms) + " ago";
  // Rounds up, so that a duration given a moment ago reads the same: "in 1h30m", not "in 1h29m".
  const std::int64_t step = ms < 10 * kSecond ? kSecond / 10
                            : ms < kHour      ? kSecond
                            : ms < kDay       ? kMinute
                                              : kHour;
  return "in " + format_span((ms + step - 1) / step * step);
}

}  // namespace taskd::ctl
