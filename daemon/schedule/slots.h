// When a schedule fires: its slots, as instants in ascending order. Pure functions of rule, zone
// and time: a slot is always the same instant, so it can be unique in the database.
//
// Daylight saving: skipped times fire once, at the first instant after the gap, however many there
// are. A repeated time fires the first time only.
//
// If the hour field starts with '*', the schedule follows elapsed time instead: it also fires in
// the second copy of a repeated hour ("*/15 * * * *" is never silent for an hour). If that field
// covers every hour, skipped times do not fire ("30 * * * *" goes from 01:30 to 03:30).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/schedule/cron.h"
#include "daemon/schedule/zone.h"
#include "daemon/task/schedule.h"

namespace taskd {

struct CronRule {
  Cron cron;
  Zone zone;
};

// Fires every `every_ms`, counted from `anchor`, so restarts and late starts do not shift it.
struct EveryRule {
  std::int64_t every_ms = 0;
  WallTime anchor;
};

using Rule = std::variant<CronRule, EveryRule>;

// Returns nothing if this machine does not know the schedule's zone (any more).
std::optional<Rule> rule_of(const Schedule& schedule);

// The first slot after `after`, or nothing if there is none before the year 10000.
std::optional<WallTime> next_slot(const Rule& rule, WallTime after);

// The last slot in (after, until].
std::optional<WallTime> last_slot(const Rule& rule, WallTime after, WallTime until);

// A slot that is at most this late counts as on time, not as missed.
inline constexpr std::int64_t kOnTimeMs = 60'000;

// Which of the slots in (after, now] fire now, oldest first, at most `limit`. one: the latest; all:
// each; none: the latest if it is on time.
std::vector<WallTime> due_slots(const Rule& rule, WallTime after, WallTime now, CatchUp catch_up,
                                int limit);

// Explains why a slot is not at the time in the cron line; "" if it is. "02:30 is skipped that day;
// fires when the gap ends", "02:30 comes twice; fires the first time".
std::string slot_note(const CronRule& rule, WallTime slot);

}  // namespace taskd
