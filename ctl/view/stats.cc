#include "ctl/view/stats.h"

#include <nlohmann/json.hpp>

#include "ctl/base/failure.h"
#include "daemon/base/text.h"

namespace taskd::ctl {

std::int64_t QueueCounts::waiting() const {
  return count(State::scheduled) + count(State::blocked) + count(State::held) +
         count(State::queued);
}

std::int64_t QueueCounts::startable() const {
  const bool full = concurrency && count(State::running) >= *concurrency;
  return paused || full || has_rate ? 0 : count(State::queued);
}

std::int64_t Stats::startable() const {
  std::int64_t sum = 0;
  for (const QueueCounts& queue : queues) sum += queue.startable();
  return sum;
}

std::int64_t Stats::total(State state) const {
  std::int64_t sum = 0;
  for (const QueueCounts& queue : queues) sum += queue.count(state);
  return sum;
}

Machine Stats::machine() const {
  Machine machine;
  machine.slots = slots_total;
  for (const ResourceUse& use : resources) machine.resources[use.name].amount = use.amount;
  return machine;
}

Stats read_stats(const nlohmann::json& json) {
  Stats stats;
  try {
    stats.daemon_version = json.at("version").get<std::string>();
    stats.started_at = parse_rfc3339(json.at("started_at").get<std::string>());
    stats.workers_total = json.at("workers").at("total").get<std::int64_t>();
    stats.workers_busy = json.at("workers").at("busy").get<std::int64_t>();
    for (const nlohmann::json& item : json.at("queues")) {
      QueueCounts queue;
      queue.name = item.at("name").get<std::string>();
      queue.capacity = item.at("capacity").get<std::int64_t>();
      // An older daemon does not send limits.
      const nlohmann::json concurrency = item.value("concurrency", nlohmann::json());
      if (!concurrency.is_null()) queue.concurrency = concurrency.get<std::int64_t>();
      queue.has_rate = !item.value("rate", nlohmann::json()).is_null();
      queue.paused = !item.value("paused", nlohmann::json()).is_null();
      queue.draining = item.value("draining", false);
      for (const State state : kAllStates)
        queue.counts[static_cast<std::size_t>(state)] =
            item.at("counts").value(std::string(to_string(state)), std::int64_t{0});
      stats.queues.push_back(std::move(queue));
    }
    for (const nlohmann::json& item : json.value("resources", nlohmann::json::array())) {
      ResourceUse& use = stats.resources.emplace_back();
      use.name = item.at("name").get<std::string>();
      use.amount = item.at("amount").get<std::int64_t>();
      use.used = item.at("used").get<std::int64_t>();
      if (const auto& units = item.at("used_units"); !units.is_null())
        use.used_units = units.get<std::vector<std::string>>();
    }
    if (const auto disk = json.find("disk"); disk != json.end())
      stats.disk = {.free_bytes = disk->at("free_bytes").get<std::int64_t>(),
                    .needed_bytes = disk->value("needed_bytes", std::int64_t{0}),
                    .writable = disk->at("writable").get<bool>()};
    stats.events_of_removed_tasks = json.value("events_of_removed_tasks", std::int64_t{-1});
    if (const auto clock = json.find("clock"); clock != json.end() && !clock->is_null()) {
      stats.clock = {.ahead_ms = clock->at("ahead_ms").get<std::int64_t>(),
                     .believed_at = parse_rfc3339(clock->at("believed_at").get<std::string>())
                                        .value_or(WallTime{})};
    }
    if (const auto slots = json.find("slots"); slots != json.end())
      stats.slots_total = slots->at("total").get<int>();
  } catch (const nlohmann::json::exception&) {
    throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's statistics");
  }
  return stats;
}

}  // namespace taskd::ctl
