#include "daemon/engine/attempt_environment.h"

namespace taskd {
namespace {

// "tape-drive" -> "TASKD_RESOURCE_TAPE_DRIVE"
std::string variable_for(const std::string& resource) {
  std::string name = "TASKD_RESOURCE_";
  for (const char c : resource) {
    const bool is_lower = c >= 'a' && c <= 'z';
    name += c == '-' ? '_' : is_lower ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return name;
}

std::string join(const std::vector<std::string>& units) {
  std::string text;
  for (const std::string& unit : units) text += (text.empty() ? "" : ",") + unit;
  return text;
}

}  // namespace

std::map<std::string, std::string> environment_of(const Claim& claim) {
  const StartConstraints& constraints = claim.spec.constraints;
  std::map<std::string, std::string> env;
  if (claim.array) {
    env["TASKD_ARRAY_ID"] = std::to_string(claim.array->array);
    env["TASKD_ARRAY_INDEX"] = std::to_string(claim.array->index);
  }
  if (constraints.slots != 1) env["TASKD_SLOTS"] = std::to_string(constraints.slots);
  for (const auto& [name, amount] : constraints.resources) {
    const auto granted = claim.grant.find(name);
    const bool indexed = granted != claim.grant.end();
    env[variable_for(name)] = indexed ? join(granted->second) : std::to_string(amount);
    if (indexed && name == "gpu") env["CUDA_VISIBLE_DEVICES"] = join(granted->second);
  }
  return env;
}

}  // namespace taskd
