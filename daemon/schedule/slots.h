// When a schedule fires: its slots, as instants in order. Pure functions of rule, zone and time, so
// that a slot is the same whoever asks and whenever, and can be unique in the database.
//
// Daylight saving, by rule: a time that the clock skips fires once, at the first instant after the
// gap, however many skipped times there are; a time that comes twice fires the first time only.
// But a line whose hour field begins with '*' means hours that pass, so it also fires in the second
// of two equal hours ("*/15 * * * *" is never silent for an hour); and if that field names every
// hour, skipped times fire nothing ("30 * * * *" goes from 01:30 to 03:30).
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

// Every `every_ms`, counted from `anchor`, so neither a restart nor a late start moves it.
struct EveryRule {
  std::int64_t every_ms = 0;
  WallTime anchor;
};

using Rule = std::variant<CronRule, EveryRule>;

// Nothing when this machine does not know the schedule's zone (any more).
std::optional<Rule> rule_of(const Schedule& schedule);

// The first slot after `after`. Nothing when there is none before the year 10000.
std::optional<WallTime> next_slot(const Rule& rule, WallTime after);

// The last slot in (after, until].
std::optional<WallTime> last_slot(const Rule& rule, WallTime after, WallTime until);

// A slot that is no later than this was not missed, only busy.
inline constexpr std::int64_t kOnTimeMs = 60'000;

// What fires now of the slots in (after, now], oldest first, at most `limit`.
// one: the latest; all: each; none: the latest if it is on time.
std::vector<WallTime> due_slots(const Rule& rule, WallTime after, WallTime now, CatchUp catch_up,
                                int limit);

// Why a slot is not at the time that the cron line says; empty where it is.
// "02:30 is skipped that day; fires when the gap ends", "02:30 comes twice; fires the first time".
std::string slot_note(const CronRule& rule, WallTime slot);

}  // namespace taskd
