// What hooks are still to be told.
// A part of TaskStore: see there for threads, durability and errors.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/store/part.h"
#include "daemon/store/requests.h"

namespace taskd {

class StoreDeliveries : protected StorePart {
 public:
  // A new daemon has come: what waits for a hook may be tried at once, and what waits for one that
  // is not declared any more is given up. Returns how many were.
  std::int64_t resume_deliveries();
  // The delivery to the hook that may be tried now: the first of the user whose turn it is. Those
  // about one task come one after the other, each once the one before is through; others do not
  // wait for it.
  DueDelivery due_delivery(const std::string& hook, WallTime now, const DeliveryTurn& turn = {});
  // The change that has waited for the hook the longest among this user's, due or not.
  std::optional<WallTime> oldest_delivery(const std::string& hook, std::uint32_t uid);
  // Records a try, guarded by the number of tries before it. False: somebody else did meanwhile.
  bool record_try(const DeliveryTry& result);
  // Gives up what this user's changes have waited for the hook since `before` or longer, at most
  // `limit`. Returns how many.
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
