#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "daemon/limits/fair_share.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/start_constraints_json.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

void read_concurrency(FieldReader& reader, const json& value, const std::string& at,
                      QueuePatch& queue) {
  auto& concurrency = queue.concurrency.emplace();
  if (!value.is_null()) reader.integer(value, at, 1, kMaxConcurrency, concurrency.emplace());
}

void read_rate(FieldReader& reader, const json& value, const std::string& at, QueuePatch& queue) {
  auto& rate = queue.rate.emplace();
  if (!value.is_null()) read_rate_limit(reader, value, at, rate.emplace());
}

constexpr JsonField<QueuePatch> kQueueFields[] = {
    {"capacity",
     [](FieldReader& reader, const json& value, const std::string& at, QueuePatch& queue) {
       reader.integer(value, at, 0, kMaxQueueCapacity, queue.capacity.emplace());
     }},
    {"concurrency", read_concurrency},
    {"rate", read_rate},
    {"weight",
     [](FieldReader& reader, const json& value, const std::string& at, QueuePatch& queue) {
       reader.integer(value, at, 1, kMaxWeight, queue.weight.emplace());
     }},
    {"notify", [](FieldReader& reader, const json& value, const std::string& at,
                  QueuePatch& queue) { read_notify(reader, value, at, queue.notify.emplace()); }},
    {"defaults",
     [](FieldReader& reader, const json& value, const std::string& at, QueuePatch& queue) {
       if (!value.is_object() && !value.is_null())
         return reader.wrong_type(value, at, "an object or null");
       queue.defaults = value.dump();
     }},
};

}  // namespace

json counts_to_json(const std::int64_t (&counts)[std::size(kAllStates)]) {
  json object = json::object();
  for (const State state : kAllStates) {
    object[to_string(state)] = counts[static_cast<std::size_t>(state)];
  }
  return object;
}

json queue_to_json(const QueueInfo& queue) {
  const QueueSettings& settings = queue.settings;
  json out = {{"name", settings.name},
              {"capacity", settings.capacity},
              {"concurrency", settings.concurrency ? json(*settings.concurrency) : json(nullptr)},
              {"rate", rate_to_json(settings.rate)},
              {"weight", settings.weight},
              {"notify", format_notify(settings.notify)},
              {"defaults", json::parse(settings.defaults)},
              {"paused", nullptr},
              {"draining", queue.draining},
              {"counts", counts_to_json(queue.counts)}};
  if (queue.paused) {
    out["paused"] = {{"at", format_rfc3339(queue.paused->at)},
                     {"user", queue.paused->uid},
                     {"reason", queue.paused->reason}};
  }
  return out;
}

QueueInfo queue_from_json(const json& object) {
  QueueInfo queue;
  try {
    queue.settings.name = object.at("name").get<std::string>();
    queue.settings.capacity = object.at("capacity").get<std::int64_t>();
    if (const json& concurrency = object.at("concurrency"); !concurrency.is_null())
      queue.settings.concurrency = concurrency.get<int>();
    if (const json& rate = object.at("rate"); !rate.is_null())
      queue.settings.rate = rate_from_json(rate);
    queue.settings.weight = object.at("weight").get<int>();
    for (const json& item : object.value("notify", json::array())) {
      auto notify = parse_notify(item.get<std::string>());
      if (!std::holds_alternative<Notify>(notify))
        throw std::runtime_error("the queue's \"notify\" has an event unknown to this version");
      queue.settings.notify.push_back(std::get<Notify>(std::move(notify)));
    }
    queue.settings.defaults = object.value("defaults", json::object()).dump();
    if (const json& paused = object.at("paused"); !paused.is_null()) {
      const auto at = parse_rfc3339(paused.at("at").get<std::string>());
      if (!at) throw std::runtime_error("the queue's \"paused\" has no time stamp");
      queue.paused = {*at, paused.at("user").get<std::uint32_t>(),
                      paused.at("reason").get<std::string>()};
    }
    queue.draining = object.at("draining").get<bool>();
    for (const State state : kAllStates)
      queue.count(state) =
          object.at("counts").value(std::string(to_string(state)), std::int64_t{0});
  } catch (const json::exception& e) {
    throw std::runtime_error(std::string("the queue cannot be read: ") + e.what());
  }
  return queue;
}

std::variant<QueuePatch, FieldErrors> queue_patch_from_json(const json& body,
                                                            const std::string& name) {
  FieldReader reader;
  QueuePatch queue;
  queue.name = name;
  read_fields(reader, body, "#", kQueueFields, queue);
  if (!reader.ok()) return reader.take_errors();
  return queue;
}

}  // namespace taskd
