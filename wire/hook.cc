#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

std::optional<WallTime> read_time(const json& object, const char* field) {
  const json& value = object.at(field);
  if (value.is_null()) return std::nullopt;
  const auto time = parse_rfc3339(value.get<std::string>());
  if (!time) throw std::runtime_error(std::string("its \"") + field + "\" is not a timestamp");
  return time;
}

}  // namespace

json delivery_to_json(const Delivery& delivery) {
  return {{"id", delivery.id},
          {"hook", delivery.hook},
          {"event", to_string(delivery.event)},
          {"at", format_rfc3339(delivery.at)},
          {"state", to_string(delivery.state)},
          {"tries", delivery.tries},
          {"tried_at", time_or_null(delivery.tried_at)},
          {"next_at", time_or_null(delivery.next_at)},
          {"done_at", time_or_null(delivery.done_at)},
          {"error", delivery.error.empty() ? json(nullptr) : json(delivery.error)}};
}

Delivery delivery_from_json(const json& object) {
  try {
    Delivery delivery;
    delivery.id = object.at("id").get<std::string>();
    delivery.hook = object.at("hook").get<std::string>();
    const auto event = parse_hook_event(object.at("event").get<std::string>());
    const auto state = parse_delivery_state(object.at("state").get<std::string>());
    const auto at = read_time(object, "at");
    if (!event || !state || !at)
      throw std::runtime_error("it contains a value unknown to this version");
    delivery.event = *event;
    delivery.state = *state;
    delivery.at = *at;
    delivery.tries = object.at("tries").get<int>();
    delivery.tried_at = read_time(object, "tried_at");
    delivery.next_at = read_time(object, "next_at");
    delivery.done_at = read_time(object, "done_at");
    if (const json& error = object.at("error"); !error.is_null())
      delivery.error = error.get<std::string>();
    return delivery;
  } catch (const std::exception& e) {
    throw std::runtime_error(std::string("the delivery cannot be read: ") + e.what());
  }
}

}  // namespace taskd
