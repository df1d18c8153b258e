#include "daemon/config/resources.h"

#include <algorithm>

#include "daemon/base/text.h"
#include "daemon/config/config_error.h"
#include "daemon/task/start_constraints_json.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxUnits = 1024;

// A number or a word that can stand between commas.
std::string unit_name(const toml::node& node, const std::string& place) {
  if (const auto* number = node.as_integer()) {
    if (number->get() >= 0) return std::to_string(number->get());
  } else if (const auto* text = node.as_string()) {
    if (is_valid_resource_name(text->get())) return text->get();
  }
  refuse(place, "a unit is a whole number, or a word of letters, digits, '_' and '-'");
}

Resource indexed(const toml::array& array, const std::string& place) {
  Resource resource;
  if (array.empty() || array.size() > kMaxUnits) {
    refuse(place, "expected 1 to " + std::to_string(kMaxUnits) + " units, such as [0, 1]");
  }
  for (const toml::node& node : array) {
    const std::string unit = unit_name(node, place);
    if (std::count(resource.units.begin(), resource.units.end(), unit) > 0) {
      refuse(place, "unit " + unit + " is listed twice");
    }
    resource.units.push_back(unit);
  }
  resource.amount = std::ssize(resource.units);
  return resource;
}

Resource read_resource(const toml::node& node, const std::string& place) {
  if (const auto* array = node.as_array()) return indexed(*array, place);
  std::optional<std::int64_t> amount;
  if (const auto* number = node.as_integer()) amount = number->get();
  if (const auto* text = node.as_string()) amount = parse_size_bytes(text->get());
  if (!amount || *amount < 1) {
    refuse(place, "expected a count such as 3, a size such as \"48G\", or units such as [0, 1]");
  }
  return {*amount, {}};
}

}  // namespace

std::map<std::string, Resource> read_resources(const std::string& file, const toml::node& node) {
  const auto* table = node.as_table();
  if (table == nullptr) refuse(place_of(file, node, "resources"), "expected a table [resources]");
  std::map<std::string, Resource> resources;
  for (const auto& [key, value] : *table) {
    const std::string name(key.str());
    const std::string place = place_of(file, value, "resources." + escape_for_humans(name));
    if (!is_valid_resource_name(name)) {
      refuse(place,
             "a resource's name is 1 to 32 letters, digits, '_' and '-', the first a letter"
             " or digit");
    }
    resources[name] = read_resource(value, place);
  }
  if (resources.size() > kMaxResources) {
    refuse(place_of(file, node, "resources"),
           "expected at most " + std::to_string(kMaxResources) + " resources");
  }
  return resources;
}

std::string describe_resources(const std::map<std::string, Resource>& resources) {
  if (resources.empty()) return "";
  std::string out = "\n[resources]\n";
  for (const auto& [name, resource] : resources) {
    out += name + " = ";
    if (resource.units.empty()) {
      out += std::to_string(resource.amount) + "\n";
      continue;
    }
    for (std::size_t i = 0; i < resource.units.size(); ++i) {
      out += (i == 0 ? "[\"" : ", \"") + resource.units[i] + "\"";
    }
    out += "]\n";
  }
  return out;
}

}  // namespace taskd
