#include "daemon/limits/demand.h"

#include <algorithm>

#include "daemon/base/ascii.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

// Splits "name=rest".
std::optional<std::pair<std::string, std::string_view>> name_and_rest(std::string_view part) {
  const std::size_t equals = part.find('=');
  if (equals == 0 || equals == std::string_view::npos) return std::nullopt;
  return std::pair(std::string(part.substr(0, equals)), part.substr(equals + 1));
}

}  // namespace

Demand demand_of(const StartConstraints& constraints) {
  return {constraints.slots, constraints.resources};
}

std::string to_stored(const Demand& demand) {
  if (demand == Demand{}) return "";
  std::string text = std::to_string(demand.slots);
  for (const auto& [name, amount] : demand.resources) {
    text += " " + name + "=" + std::to_string(amount);
  }
  return text;
}

std::optional<Demand> demand_from_stored(std::string_view text) {
  Demand demand;
  if (text.empty()) return demand;
  const std::vector<std::string_view> parts = split(text, ' ');
  const auto slots = parse_int(parts[0]);
  if (!slots || *slots < 1 || *slots > Machine::kUnlimitedSlots) return std::nullopt;
  demand.slots = static_cast<int>(*slots);
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto part = name_and_rest(parts[i]);
    const auto amount = part ? parse_int(part->second) : std::nullopt;
    if (!amount || *amount < 0) return std::nullopt;
    demand.resources[part->first] = *amount;
  }
  return demand;
}

std::optional<std::string> find_unmet(const Machine& machine, const Demand& demand) {
  if (demand.slots > machine.slots) return "";
  for (const auto& [name, amount] : demand.resources) {
    const auto resource = machine.resources.find(name);
    if (resource == machine.resources.end() || resource->second.amount < amount) return name;
  }
  return std::nullopt;
}

std::string to_stored(const Grant& grant) {
  std::string text;
  for (const auto& [name, units] : grant) {
    if (!text.empty()) text += ' ';
    text += name + "=";
    for (std::size_t i = 0; i < units.size(); ++i) text += (i == 0 ? "" : ",") + units[i];
  }
  return text;
}

std::optional<Grant> grant_from_stored(std::string_view text) {
  Grant grant;
  for (const std::string_view one : split(text, ' ')) {
    const auto part = name_and_rest(one);
    if (!part) return std::nullopt;
    for (const std::string_view unit : split(part->second, ',')) {
      grant[part->first].emplace_back(unit);
    }
  }
  return grant;
}

void Allocation::add(const Demand& demand, const Grant& grant) {
  slots += demand.slots;
  for (const auto& [name, amount] : demand.resources) resources[name] += amount;
  for (const auto& [name, granted] : grant) {
    std::vector<std::string>& all = units[name];
    all.insert(all.end(), granted.begin(), granted.end());
  }
}

FreeCapacity::FreeCapacity(const Machine& machine) : slots_(machine.slots) {
  for (const auto& [name, resource] : machine.resources) {
    free_[name] = {resource.amount, resource.units};
  }
}

void FreeCapacity::take(const Allocation& use) {
  slots_ -= use.slots;
  for (const auto& [name, amount] : use.resources) {
    const auto free = free_.find(name);
    if (free != free_.end()) free->second.amount -= amount;
  }
  for (const auto& [name, units] : use.units) {
    const auto free = free_.find(name);
    if (free == free_.end()) continue;
    for (const std::string& unit : units) std::erase(free->second.units, unit);
  }
}

std::int64_t FreeCapacity::free_of(const std::string& resource) const {
  const auto free = free_.find(resource);
  return free == free_.end() ? 0 : free->second.amount;
}

bool FreeCapacity::fits_resources(const Demand& demand) const {
  return std::all_of(demand.resources.begin(), demand.resources.end(),
                     [&](const auto& need) { return need.second <= free_of(need.first); });
}

bool FreeCapacity::is_spent(const Demand& demand) const {
  return !demand.resources.empty() &&
         std::all_of(demand.resources.begin(), demand.resources.end(),
                     [&](const auto& need) { return free_of(need.first) <= 0; });
}

bool FreeCapacity::fits(const Demand& demand) const {
  return demand.slots <= slots_ && fits_resources(demand);
}

Grant FreeCapacity::choose(const Demand& demand) const {
  Grant grant;
  for (const auto& [name, amount] : demand.resources) {
    const std::vector<std::string>& units = free_.at(name).units;
    if (units.empty()) continue;
    grant[name] = {units.begin(), units.begin() + std::min(amount, std::ssize(units))};
  }
  return grant;
}

void FreeCapacity::keep(const Demand& demand) {
  if (fits_resources(demand)) slots_ = std::max<std::int64_t>(0, slots_ - demand.slots);
  for (const auto& [name, amount] : demand.resources) {
    const auto free = free_.find(name);
    if (free != free_.end()) {
      free->second.amount = std::max<std::int64_t>(0, free->second.amount - amount);
    }
  }
}

}  // namespace taskd
