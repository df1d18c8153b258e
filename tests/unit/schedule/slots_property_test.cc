// Random lines, zones and times against a clock that is watched minute by minute.
#include <doctest/doctest.h>
#include <rapidcheck.h>

#include <string>
#include <vector>

#include "daemon/base/text.h"
#include "daemon/schedule/slots.h"

namespace taskd {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

std::string random_field(int first, int last) {
  const auto value = [&] { return std::to_string(*rc::gen::inRange(first, last + 1)); };
  switch (*rc::gen::inRange(0, 5)) {
    case 0:
      return "*";
    case 1:
      return value();
    case 2:
      return value() + "," + value();
    case 3:
      return "*/" + std::to_string(*rc::gen::inRange(1, last + 1));
    default: {
      const int low = *rc::gen::inRange(first, last + 1);
      return std::to_string(low) + "-" + std::to_string(*rc::gen::inRange(low, last + 1));
    }
  }
}

std::string random_line() {
  return random_field(0, 59) + " " + random_field(0, 23) + " " + random_field(1, 31) + " " +
         random_field(1, 12) + " " + random_field(0, 7);
}

struct Wall {
  LocalDate date;
  int minute;  // of the day

  auto operator<=>(const Wall&) const = default;
};

Wall wall_at(const Zone& zone, WallTime time) {
  const std::string text = zone.format(time);  // 2026-03-29T03:00:00+02:00
  const std::size_t clock = text.find('T') + 1;
  return {zone.date_at(time),
          std::stoi(text.substr(clock, 2)) * 60 + std::stoi(text.substr(clock + 3, 2))};
}

Wall next_minute(Wall wall) {
  if (++wall.minute < 24 * 60) return wall;
  return {add_days(wall.date, 1), 0};
}

bool matches(const Cron& cron, const Wall& wall) {
  return cron.minutes[static_cast<std::size_t>(wall.minute % 60)] &&
         cron.hours[static_cast<std::size_t>(wall.minute / 60)] &&
         cron.matches_day(wall.date.month, wall.date.day, weekday(wall.date));
}

// The rule in words of a person who watches the clock on the wall: at each minute it fires if the
// line names what the clock shows or has just jumped over, unless the clock has shown it before. A
// line of every hour fires at what the clock shows, and at nothing else.
std::vector<WallTime> watched(const CronRule& rule, WallTime from, WallTime to) {
  const bool all_hours = rule.cron.every_hour && rule.cron.hours.all();
  std::vector<WallTime> slots;
  WallTime time = from + -3 * 60 * kMinuteMs;
  Wall latest = wall_at(rule.zone, time);  // the furthest that the clock has ever shown
  for (time = time + kMinuteMs; time <= to; time = time + kMinuteMs) {
    const Wall now = wall_at(rule.zone, time);
    bool fires = matches(rule.cron, now) && (rule.cron.every_hour || now > latest);
    for (Wall skipped = next_minute(latest); skipped < now; skipped = next_minute(skipped)) {
      fires = fires || (!all_hours && matches(rule.cron, skipped));
    }
    if (now > latest) latest = now;
    if (fires && time > from) slots.push_back(time);
  }
  return slots;
}

std::vector<WallTime> asked(const CronRule& rule, WallTime from, WallTime to) {
  std::vector<WallTime> slots;
  for (auto slot = next_slot(rule, from); slot && *slot <= to; slot = next_slot(rule, *slot)) {
    slots.push_back(*slot);
  }
  return slots;
}

TEST_CASE("any line in any zone fires just when a watcher of the clock would fire it") {
  const bool holds = rc::check([] {
    const auto zone = *rc::gen::element<std::string>(
        "UTC", "Europe/Paris", "America/New_York", "Australia/Lord_Howe", "America/Santiago",
        "Asia/Kathmandu", "America/St_Johns", "Africa/Casablanca", "Asia/Tehran");
    // Around changes of the clock of these zones, and anywhere.
    const auto around = *rc::gen::element<std::string>(
        "2026-03-29T00:00:00Z", "2026-10-25T00:00:00Z", "2026-03-08T06:00:00Z",
        "2026-11-01T05:00:00Z", "2026-10-03T14:00:00Z", "2026-04-04T14:00:00Z",
        "2026-09-06T03:00:00Z", "2026-04-05T02:00:00Z", "2010-11-07T02:00:00Z",
        "2026-02-28T12:00:00Z", "2028-02-28T12:00:00Z", "2026-12-31T20:00:00Z");
    const auto shift = *rc::gen::inRange(-480, 120);
    const WallTime from = parse_rfc3339(around).value() + shift * kMinuteMs;
    const WallTime to = from + 9 * 60 * kMinuteMs;
    const std::string line = random_line();
    auto cron = parse_cron(line);
    RC_PRE(std::holds_alternative<Cron>(cron));
    const CronRule rule{std::get<Cron>(cron), Zone::load(zone).value()};
    const auto expected = watched(rule, from, to);
    RC_CLASSIFY(!expected.empty(), "fires");
    RC_ASSERT(asked(rule, from, to) == expected);
    const auto last = last_slot(rule, from, to);
    RC_ASSERT(last.has_value() == !expected.empty());
    if (last) RC_ASSERT(*last == expected.back());
  });
  CHECK(holds);
}

}  // namespace
}  // namespace taskd
