#include "daemon/task/delivery.h"

namespace taskd {

std::string_view to_string(DeliveryState state) {
  switch (state) {
    case DeliveryState::pending:
      return "pending";
    case DeliveryState::delivered:
      return "delivered";
    case DeliveryState::failed:
      return "failed";
  }
  return "";
}

std::optional<DeliveryState> parse_delivery_state(std::string_view text) {
  for (const DeliveryState state :
       {DeliveryState::pending, DeliveryState::delivered, DeliveryState::failed}) {
    if (to_string(state) == text) return state;
  }
  return std::nullopt;
}

}  // namespace taskd
