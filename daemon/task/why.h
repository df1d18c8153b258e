// Why a task is not running: the one thing it waits for. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

enum class WaitKind {
  runs,          // it does not wait
  ended,         // nor does this one: `what` is its state, `reason` of which kind its failure is;
                 // `tasks` are those whose ends it could not start after
  held,          // for a person; `by` held it
  delay,         // for its time, `until`
  retry,         // for the time of its next try, `until`
  dependencies,  // for the ends of `tasks`
  key_busy,      // for its key, `what`; `tasks` run under it
  key_rate,      // for its key's rate, `until`
  queue_paused,  // for its queue, `what`, that `by` paused for `reason`
  queue_busy,    // for its queue's concurrency; `tasks` run in it
  queue_rate,    // for its queue's rate, `until`
  slots,         // for workers; `tasks` run
  resource,      // for a resource, `what`, that `tasks` have
  never_fits,    // for a machine that has as much of `what` ("" = workers); for ever, on this one
  kept,          // for `tasks`, which is larger and was first: what it needs of `what` ("" =
                 // workers) is kept for that one
  turn,          // for the tasks in front of it, `ahead` of them
};

struct Why {
  WaitKind kind = WaitKind::turn;
  std::vector<TaskId> tasks;       // the first few
  std::int64_t task_count = 0;     // all of them
  std::vector<std::string> units;  // of an indexed resource: those that are taken
  std::string what;
  std::optional<WallTime> until;
  std::optional<std::uint32_t> by;      // a uid
  std::string reason;                   // that person's words
  std::string error;                    // of the last attempt, of a task that has ended
  std::int64_t ahead = 0;               // in its line, as far as they were counted (kMaxAhead)
  std::optional<WallTime> expected_at;  // when it will start, going by how long such tasks took
};
inline constexpr std::int64_t kMaxAhead = 10'000;

std::string_view to_string(WaitKind);
std::optional<WaitKind> parse_wait_kind(std::string_view);

}  // namespace taskd
