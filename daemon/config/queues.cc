#include "daemon/config/queues.h"

#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/config/config_error.h"
#include "daemon/config/hooks.h"
#include "daemon/config/task_options.h"
#include "daemon/limits/fair_share.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

std::int64_t whole_number(const toml::node& node, const std::string& where, std::int64_t least,
                          std::int64_t most) {
  const auto* number = node.as_integer();
  if (number != nullptr && number->get() >= least && number->get() <= most) return number->get();
  refuse(where,
         "expected a whole number from " + std::to_string(least) + " to " + std::to_string(most));
}

RateLimit rate_of(const toml::node& node, const std::string& where) {
  const auto* text = node.as_string();
  const auto rate = text == nullptr ? std::nullopt : parse_rate(text->get());
  if (!rate) refuse(where, "expected a count and a time, such as \"10/1m\"");
  return *rate;
}

std::string defaults_of(const std::string& file, const toml::node& node, const std::string& name,
                        const Machine& machine) {
  const auto* table = node.as_table();
  if (table == nullptr) refuse(place_of(file, node, name), "expected a table");
  return read_task_defaults(DefaultsOf::queue, file, *table, name, machine).dump();
}

QueuePatch read_queue(const std::string& file, const std::string& name, const toml::node& node,
                      const std::vector<Hook>& hooks, const Machine& machine) {
  const std::string place = place_of(file, node, "queues." + escape_for_humans(name));
  const auto* table = node.as_table();
  if (table == nullptr) refuse(place, "expected a table");
  if (!is_valid_queue_name(name)) {
    refuse(
        place,
        "a queue's name is 1 to 64 letters, digits, '.', '_' or '-', and begins with a letter or "
        "digit");
  }
  QueuePatch queue;
  queue.name = name;
  for (const auto& [key, value] : *table) {
    const std::string setting(key.str());
    const std::string where =
        place_of(file, value, "queues." + name + "." + escape_for_humans(setting));
    if (setting == "capacity") {
      queue.capacity = whole_number(value, where, 0, kMaxQueueCapacity);
    } else if (setting == "concurrency") {
      queue.concurrency = static_cast<int>(whole_number(value, where, 1, kMaxConcurrency));
    } else if (setting == "weight") {
      queue.weight = static_cast<int>(whole_number(value, where, 1, kMaxWeight));
    } else if (setting == "notify") {
      queue.notify = read_notify_setting(value, where);
      check_notify(*queue.notify, hooks, where);
    } else if (setting == "rate") {
      queue.rate = rate_of(value, where);
    } else if (setting == "defaults") {
      queue.defaults = defaults_of(file, value, "queues." + name + ".defaults", machine);
    } else {
      refuse(where, "unknown setting");
    }
  }
  return queue;
}

}  // namespace

std::vector<QueuePatch> read_queues(const std::string& file, const toml::node& queues,
                                    const std::vector<Hook>& hooks, const Machine& machine) {
  const auto* table = queues.as_table();
  if (table == nullptr) refuse(place_of(file, queues, "queues"), "expected tables [queues.NAME]");
  std::vector<QueuePatch> list;
  for (const auto& [name, node] : *table) {
    list.push_back(read_queue(file, std::string(name.str()), node, hooks, machine));
  }
  return list;
}

std::string describe_queue(const QueuePatch& queue) {
  std::string out = "\n[queues." + queue.name + "]\n";
  if (queue.capacity) out += "capacity = " + std::to_string(*queue.capacity) + "\n";
  if (queue.concurrency) out += "concurrency = " + std::to_string(**queue.concurrency) + "\n";
  if (queue.rate) out += "rate = \"" + format_rate(**queue.rate) + "\"\n";
  if (queue.weight) out += "weight = " + std::to_string(*queue.weight) + "\n";
  if (queue.notify) out += "notify = " + describe_notify(*queue.notify) + "\n";
  if (queue.defaults && *queue.defaults != "{}") {
    out += "\n[queues." + queue.name + ".defaults]\n" +
           describe_task_options(nlohmann::json::parse(*queue.defaults));
  }
  return out;
}

}  // namespace taskd
