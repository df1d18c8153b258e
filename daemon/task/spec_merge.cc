#include "daemon/task/spec_merge.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

namespace taskd {
namespace {

using nlohmann::json;

// Fields of which a task has only one.
constexpr std::pair<std::string_view, std::string_view> kEitherOr[] = {{"argv", "shell"},
                                                                       {"delay_ms", "run_at"}};

// The field that says the same in another way, or "".
std::string_view other_way(std::string_view field) {
  for (const auto& [one, other] : kEitherOr) {
    if (field == one) return other;
    if (field == other) return one;
  }
  return "";
}

}  // namespace

void fill_in(json& task, const json& defaults) {
  for (const auto& [field, value] : defaults.items()) {
    const std::string_view other = other_way(field);
    if (task.contains(field) || (!other.empty() && task.contains(other))) continue;
    task[field] = value;
  }
}

FieldErrors check_defaults(const json& defaults, const std::string& pointer) {
  if (!defaults.is_object()) return {{pointer, "must be an object"}};
  json task = defaults;
  if (!task.contains("argv") && !task.contains("shell")) task["shell"] = "true";
  auto read = new_task_from_json(task, pointer);
  auto* errors = std::get_if<FieldErrors>(&read);
  return errors != nullptr ? std::move(*errors) : FieldErrors{};
}

}  // namespace taskd
