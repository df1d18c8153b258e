#include "daemon/schedule/slots.h"

#include <cstdio>

namespace taskd {
namespace {

constexpr WallTime kEndOfTime{253'402'300'800'000};  // the year 10000

// "0 0 29 2 */7" may be forty years away, the maximum: the calendar's weekdays repeat after 28
// years, or after 40 across a century that is not a leap year.
constexpr int kMaxDays = 40 * 366 + 2;

// A line that covers every hour can drop skipped times: the next hour's slot is just as near.
bool leaves_out(const CronRule& rule, const LocalMoment& moment) {
  return moment.kind == LocalMoment::Kind::skipped && rule.cron.every_hour && rule.cron.hours.all();
}

// Calls `consider` with every instant of the line on this day, in no particular order.
template <class F>
void each_slot_on(const CronRule& rule, const LocalDate& date, F consider) {
  if (!rule.cron.matches_day(date.month, date.day, weekday(date))) return;
  for (std::size_t hour = 0; hour < 24; ++hour) {
    if (!rule.cron.hours[hour]) continue;
    for (std::size_t minute = 0; minute < 60; ++minute) {
      if (!rule.cron.minutes[minute]) continue;
      const LocalMoment moment =
          rule.zone.moment(date, static_cast<int>(hour), static_cast<int>(minute));
      if (leaves_out(rule, moment)) continue;
      consider(moment.at);
      if (rule.cron.every_hour) consider(moment.second);
    }
  }
}

std::optional<WallTime> first_on(const CronRule& rule, const LocalDate& date, WallTime after) {
  std::optional<WallTime> first;
  each_slot_on(rule, date, [&](WallTime time) {
    if (time > after && (!first || time < *first)) first = time;
  });
  return first;
}

std::optional<WallTime> last_on(const CronRule& rule, const LocalDate& date, WallTime until) {
  std::optional<WallTime> last;
  each_slot_on(rule, date, [&](WallTime time) {
    if (time <= until && (!last || time > *last)) last = time;
  });
  return last;
}

// Like next_cron(), backwards.
std::optional<WallTime> last_cron(const CronRule& rule, WallTime after, WallTime until) {
  const LocalDate first_day = add_days(rule.zone.date_at(after), -1);
  LocalDate date = add_days(rule.zone.date_at(until), 1);
  for (; date >= first_day; date = add_days(date, -1)) {
    std::optional<WallTime> slot = last_on(rule, date, until);
    if (!slot) continue;
    const std::optional<WallTime> before = last_on(rule, add_days(date, -1), until);
    if (before && *before > *slot) slot = before;
    return *slot > after ? slot : std::nullopt;
  }
  return std::nullopt;
}

std::optional<WallTime> last_every(const EveryRule& rule, WallTime after, WallTime until) {
  if (until < rule.anchor) return std::nullopt;
  const WallTime slot = rule.anchor + (until - rule.anchor) / rule.every_ms * rule.every_ms;
  return slot > after ? std::optional(slot) : std::nullopt;
}

// Skips months that the line does not include, so that a search over decades is fast.
LocalDate next_day(const Cron& cron, const LocalDate& date) {
  if (cron.months[static_cast<std::size_t>(date.month)]) return add_days(date, 1);
  if (date.month == 12) return {date.year + 1, 1, 1};
  return {date.year, date.month + 1, 1};
}

std::optional<WallTime> next_cron(const CronRule& rule, WallTime after) {
  // A clock that is set back across midnight repeats the previous day. So the search begins one day
  // early, and after a day with a slot also checks the next.
  LocalDate date = add_days(rule.zone.date_at(after), -1);
  const LocalDate last_day = add_days(date, kMaxDays);
  for (; date <= last_day; date = next_day(rule.cron, date)) {
    std::optional<WallTime> slot = first_on(rule, date, after);
    if (!slot) continue;
    const std::optional<WallTime> next = first_on(rule, add_days(date, 1), after);
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

std::optional<Rule> rule_of(const Schedule& schedule) {
  const ScheduleSettings& settings = schedule.settings;
  if (settings.every_ms > 0) return EveryRule{settings.every_ms, schedule.created_at};
  auto cron = parse_cron(settings.cron);
  auto zone = Zone::load(settings.zone);
  if (!zone || std::holds_alternative<CronError>(cron)) return std::nullopt;
  return CronRule{std::get<Cron>(std::move(cron)), *std::move(zone)};
}

std::optional<WallTime> next_slot(const Rule& rule, WallTime after) {
  if (const auto* every = std::get_if<EveryRule>(&rule)) return next_every(*every, after);
  return next_cron(std::get<CronRule>(rule), after);
}

std::optional<WallTime> last_slot(const Rule& rule, WallTime after, WallTime until) {
  if (const auto* every = std::get_if<EveryRule>(&rule)) return last_every(*every, after, until);
  return last_cron(std::get<CronRule>(rule), after, until);
}

std::vector<WallTime> due_slots(const Rule& rule, WallTime after, WallTime now, CatchUp catch_up,
                                int limit) {
  std::vector<WallTime> slots;
  if (catch_up == CatchUp::all) {
    auto slot = next_slot(rule, after);
    for (; slot && *slot <= now && std::ssize(slots) < limit; slot = next_slot(rule, *slot)) {
      slots.push_back(*slot);
    }
    return slots;
  }
  const auto latest = last_slot(rule, after, now);
  if (latest && limit > 0 && (catch_up == CatchUp::one || now - *latest <= kOnTimeMs)) {
    slots.push_back(*latest);
  }
  return slots;
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
      if (moment.kind == LocalMoment::Kind::once || leaves_out(rule, moment)) continue;
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
