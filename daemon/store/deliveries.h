// Notifications for hooks that are not delivered yet. A part of TaskStore: see there for threads,
// durability and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/store/requests.h"

namespace taskd {

class StoreDeliveries : protected StorePart {
 public:
  // For a daemon that just started: makes pending deliveries due at once, and gives up those for
  // hooks that are no longer declared. Returns how many it gave up.
  std::int64_t resume_deliveries();
  // The next delivery to the hook that is due: the first of the user whose turn it is. Deliveries
  // about one task go out in order; a later one is not due while an earlier one is pending.
  DueDelivery due_delivery(const std::string& hook, WallTime now, const DeliveryTurn& turn = {});
  // The time of this user's oldest pending change for the hook, due or not.
  std::optional<WallTime> oldest_delivery(const std::string& hook, std::uint32_t uid);
  // Records a try, guarded by the number of tries before it. Returns false if somebody else
  // recorded one meanwhile.
  bool record_try(const DeliveryTry& result);
  // Gives up this user's deliveries to the hook that have been pending since `before` or longer, at
  // most `limit`. Returns how many.
  int give_up_deliveries(const std::string& hook, std::uint32_t uid, WallTime before, int limit);
  // Up to `limit` of the task's deliveries after `after` (a seq), in order.
  std::vector<Delivery> deliveries(TaskId task, std::int64_t after, int limit);
  HookCounts hook_counts(const std::string& hook);

 protected:
  using StorePart::StorePart;

 private:
  DueDelivery find_due_delivery(const std::string& hook, WallTime now, const DeliveryTurn& turn,
                                bool& unreadable);
  void drop_unreadable(const Delivery& delivery);
};

}  // namespace taskd
