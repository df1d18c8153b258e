// A schedule submits a task at each of its slots. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/task/task.h"

namespace taskd {

// What happens to missed slots: run the latest, run each, or run none.
enum class CatchUp { one, all, none };
// What happens at a slot while an earlier task of the schedule has not ended. skip: the slot is
// skipped. queue: the new task waits in line. replace: the earlier tasks are cancelled, and the new
// task waits for running ones to end.
enum class Overlap { skip, queue, replace };

inline constexpr std::int64_t kMinEveryMs = 1000;

struct ScheduleSettings {
  std::string name;
  std::string cron;           // exactly one of cron and every_ms is set
  std::string zone;           // IANA name; with cron
  std::int64_t every_ms = 0;  // counted from when the schedule was created
  CatchUp catch_up = CatchUp::one;
  Overlap overlap = Overlap::skip;
  TaskSpec task;
};

struct Schedule {
  // Never reused, so that slots of a removed schedule with the same name stay apart
  std::int64_t id = 0;
  std::uint32_t uid = 0;
  ScheduleSettings settings;
  WallTime created_at;
  WallTime done_until;              // every slot up to here has been handled
  std::optional<WallTime> next_at;  // empty: paused, or it will never fire again
  struct Pause {
    WallTime at;
    std::uint32_t uid = 0;
    std::string reason;
  };
  std::optional<Pause> paused;
  std::string unreadable;  // why its task cannot be read, if its row is damaged; "" = it can
};

enum class SlotResult { fired, overlap, refused };
struct Slot {
  WallTime at;
  WallTime dealt_with_at;
  SlotResult result = SlotResult::fired;
  std::optional<TaskId> task;  // may have been removed in the meantime
};

std::string_view to_string(CatchUp);
std::string_view to_string(Overlap);
std::string_view to_string(SlotResult);
std::optional<CatchUp> parse_catch_up(std::string_view);
std::optional<Overlap> parse_overlap(std::string_view);
std::optional<SlotResult> parse_slot_result(std::string_view);

}  // namespace taskd
