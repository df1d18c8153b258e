// What a hook was, or is to be, told of a task. Plain data, shared by the daemon and taskctl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/task/notify.h"
#include "daemon/task/task.h"

namespace taskd {

// pending: not yet told. failed: given up, for its age, its number of tries, or since the hook is
// gone or said so.
enum class DeliveryState { pending, delivered, failed };

struct Delivery {
  std::int64_t seq = 0;   // in the order of the changes
  std::string id;         // told to the hook, the same at each try
  TaskId task = 0;        // may have been removed since
  std::uint32_t uid = 0;  // whose task it is
  std::string hook;
  HookEvent event = HookEvent::failed;
  WallTime at;  // of the change
  DeliveryState state = DeliveryState::pending;
  int tries = 0;
  std::optional<WallTime> tried_at;  // the latest try
  std::optional<WallTime> next_at;   // pending: the next try; empty: once an earlier one is through
  std::optional<WallTime> done_at;   // delivered or failed
  std::string error;                 // of the latest try; "" = none
};

// What waits for a hook, and what was given up.
struct HookCounts {
  std::int64_t pending = 0;
  std::int64_t failed = 0;
  std::string last_error;  // of those, the latest; "" = none
  std::optional<WallTime> last_error_at;
};

std::string_view to_string(DeliveryState);
std::optional<DeliveryState> parse_delivery_state(std::string_view);

}  // namespace taskd
