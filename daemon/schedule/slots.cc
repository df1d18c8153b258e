#include "daemon/schedule/slots.h"

#include <cstdio>

namespace taskd {
namespace {

constexpr WallTime kEndOfTime{253'402'300'800'000};  // the year 10000

// 29 February may be eight years away (1896 to 1904), the longest that a day can be.
constexpr int kMostDays = 8 * 366 + 2;

std::optional<WallTime> first_after_on(const CronRule& rule, const LocalDate& date,
                                       WallTime after) {
  std::optional<WallTime> first;
  if (!rule.cron.matches_day(date.month, date.day, weekday(date))) return first;
  const auto consider = [&](WallTime time) {
    if (time > after && (!first || time < *first)) first = time;
  };
  for (std::size_t hour = 0; hour < 24; ++hour) {
    if (!rule.cron.hours[hour]) continue;
    for (std::size_t minute = 0; minute < 60; ++minute) {
      if (!rule.cron.minutes[minute]) continue;
      const LocalMoment moment =
          rule.zone.moment(date, static_cast<int>(hour), static_cast<int>(minute));
      consider(moment.at);
      if (rule.cron.every_hour) consider(moment.second);
    }
  }
  return first;
}

std::optional<WallTime> next_cron(const CronRule& rule, WallTime after) {
  // A clock that is put back over midnight shows the day before once more: so that day is asked
  // too, and after the day that has a slot the next.
  LocalDate date = add_days(rule.zone.date_at(after), -1);
  for (int i = 0; i < kMostDays; ++i, date = add_days(date, 1)) {
    std::optional<WallTime> slot = first_after_on(rule, date, after);
    if (!slot) continue;
    const std::optional<WallTime> next = first_after_on(rule, add_days(date, 1), after);
    if (next && *next < *slot) slot = next;
    return *slot < kEndOfTime ? slot : std::nullopt;
  }
  return std::nullopt;
}

std::optional<WallTime> next_every(const EveryRule& rule, WallTime after) {
  if (after < rule.anchor) return rule.anchor;
  const std::int64_t passed = (after - rule.anchor) / rule.every_ms;
  const WallTime slot = rule.anchor + (passed + 1) * rule.every_ms;
  if (slot >= kEndOfTime) return std::nullopt;
  return slot;
}

}  // namespace

std::optional<WallTime> next_slot(const Rule& rule, WallTime after) {
  if (const auto* every = std::get_if<EveryRule>(&rule)) return next_every(*every, after);
  return next_cron(std::get<CronRule>(rule), after);
}

std::string slot_note(const CronRule& rule, WallTime slot) {
  const LocalDate date = rule.zone.date_at(slot);
  // A gap may end on the day after the skipped time; the note then names a time of the day before.
  for (const LocalDate& day : {date, rule.zone.date_at(slot + -1)}) {
    if (!rule.cron.matches_day(day.month, day.day, weekday(day))) continue;
    for (int minute_of_day = 0; minute_of_day < 24 * 60; ++minute_of_day) {
      const int hour = minute_of_day / 60;
      const int minute = minute_of_day % 60;
      if (!rule.cron.hours[static_cast<std::size_t>(hour)] ||
          !rule.cron.minutes[static_cast<std::size_t>(minute)]) {
        continue;
      }
      const LocalMoment moment = rule.zone.moment(day, hour, minute);
      if (moment.kind == LocalMoment::Kind::once) continue;
      char clock[8];
      std::snprintf(clock, sizeof clock, "%02d:%02d", hour, minute);
      if (moment.kind == LocalMoment::Kind::skipped && moment.at == slot) {
        return std::string(clock) + " is skipped that day; fires when the gap ends";
      }
      if (moment.kind == LocalMoment::Kind::doubled) {
        if (moment.at == slot) {
          return std::string(clock) + (rule.cron.every_hour ? " comes twice; the first of both"
                                                            : " comes twice; fires the first time");
        }
        if (moment.second == slot) return std::string(clock) + " comes twice; the second of both";
      }
    }
  }
  return {};
}

}  // namespace taskd
