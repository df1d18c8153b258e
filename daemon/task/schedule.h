// A schedule: a rule that submits a task at each of its slots. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/task/task.h"

namespace taskd {

// What is done about slots that nobody was there for: run the latest, run each, or run none.
enum class CatchUp { one, all, none };
// What happens at a slot while a task of the schedule has not ended: the slot is left out, or its
// task waits in line, or the old tasks are cancelled and it waits for the ends of those that run.
enum class Overlap { skip, queue, replace };

inline constexpr std::int64_t kMinEveryMs = 1000;

struct ScheduleSettings {
  std::string name;
  std::string cron;           // exactly one of cron and every_ms is set
  std::string zone;           // IANA name; with cron
  std::int64_t every_ms = 0;  // counted from the schedule's making
  CatchUp catch_up = CatchUp::one;
  Overlap overlap = Overlap::skip;
  TaskSpec task;
};

struct Schedule {
  std::int64_t id = 0;  // never reused, so a slot of an earlier schedule of this name is another's
  std::uint32_t uid = 0;
  ScheduleSettings settings;
  WallTime created_at;
  WallTime done_until;              // every slot up to here has been dealt with
  std::optional<WallTime> next_at;  // empty: paused, or it never fires again
  struct Pause {
    WallTime at;
    std::uint32_t uid = 0;
    std::string reason;
  };
  std::optional<Pause> paused;
  std::string unreadable;  // why its task is not what was asked for: its row is damaged; "": it is
};

enum class SlotResult { fired, overlap, refused };
struct Slot {
  WallTime at;
  WallTime dealt_with_at;
  SlotResult result = SlotResult::fired;
  std::optional<TaskId> task;  // may have been removed since
};

std::string_view to_string(CatchUp);
std::string_view to_string(Overlap);
std::string_view to_string(SlotResult);
std::optional<CatchUp> parse_catch_up(std::string_view);
std::optional<Overlap> parse_overlap(std::string_view);
std::optional<SlotResult> parse_slot_result(std::string_view);

}  // namespace taskd
