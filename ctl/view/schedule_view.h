// Shows schedules.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "daemon/task/schedule.h"

namespace taskd::ctl {

struct ShownSchedule {
  Schedule schedule;
  std::vector<Slot> slots;  // latest first; at most one in a list
};

// Parses a schedule from an API answer, or throws Failure (76).
ShownSchedule read_schedule(const nlohmann::json& json);

// "2026-03-01 03:00:00 (in 5h)", local.
std::string when_text(WallTime time, WallTime now);
// "fires next at 2026-…", or why it does not fire.
std::string next_text(const Schedule& schedule, WallTime now);

// One line per schedule.
void print_schedules(Context& context, const Painter& paint,
                     const std::vector<ShownSchedule>& schedules);
// One schedule in detail.
void print_schedule(Context& context, const Painter& paint, const ShownSchedule& shown);
// The slots of GET …/preview, one line each. Failure (76).
void print_preview(Context& context, const Painter& paint, const nlohmann::json& answer);

}  // namespace taskd::ctl
