// A notification of a hook about a task. Plain data, shared by the daemon and taskctl.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"
#include "daemon/task/notify.h"
#include "daemon/task/task.h"

namespace taskd {

// pending: not delivered yet. failed: given up, because it was too old or tried too often, the hook
// no longer exists, or the hook rejected it.
enum class DeliveryState { pending, delivered, failed };

struct Delivery {
  std::int64_t seq = 0;   // in the order of the task changes
  std::string id;         // sent to the hook, the same at each try
  TaskId task = 0;        // may have been removed in the meantime
  std::uint32_t uid = 0;  // the task's owner
  std::string hook;
  HookEvent event = HookEvent::failed;
  WallTime at;  // when the task changed
  DeliveryState state = DeliveryState::pending;
  int tries = 0;
  std::optional<WallTime> tried_at;  // the latest try
  std::optional<WallTime> next_at;   // pending: the next try; empty: waits for an earlier delivery
  std::optional<WallTime> done_at;   // delivered or failed
  std::string error;                 // of the latest try; "" = none
};

// A hook's pending and failed deliveries.
struct HookCounts {
  std::int64_t pending = 0;
  std::int64_t failed = 0;
  std::string last_error;  // latest error of a failed delivery; "" = none
  std::optional<WallTime> last_error_at;
};

std::string_view to_string(DeliveryState);
std::optional<DeliveryState> parse_delivery_state(std::string_view);

}  // namespace taskd
