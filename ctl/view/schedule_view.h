// Schedules as people read them.
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
  std::vector<Slot> slots;  // the latest first; of a list's schedule one at most
};

// A schedule as the API answers it, or Failure (76).
ShownSchedule read_schedule(const nlohmann::json& json);

// "2026-03-01 03:00:00 (in 5h)", local.
std::string when_text(WallTime time, WallTime now);
// "fires next at 2026-…", or why it does not.
std::string next_text(const Schedule& schedule, WallTime now);

// A line each.
void print_schedules(Context& context, const Painter& paint,
                     const std::vector<ShownSchedule>& schedules);
// All about one.
void print_schedule(Context& context, const Painter& paint, const ShownSchedule& shown);
// The slots of GET …/preview, a line each. Failure (76).
void print_preview(Context& context, const Painter& paint, const nlohmann::json& answer);

}  // namespace taskd::ctl
