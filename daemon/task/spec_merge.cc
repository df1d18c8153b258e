#include "daemon/task/spec_merge.h"

#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "daemon/task/field_reader.h"

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

std::variant<NewTask, FieldErrors> patch_task(const TaskSpec& spec, const json& patch,
                                              const std::string& pointer) {
  if (!patch.is_object()) return FieldErrors{{pointer, "must be an object"}};
  NewTask before;
  before.spec = spec;
  json task = to_json(before);
  FieldErrors errors;
  for (const auto& [field, value] : patch.items()) {
    if (!value.is_null()) {
      const std::string_view other = other_way(field);
      if (!patch.contains(other)) task.erase(std::string(other));
      if (field == "stdin") task.erase(field);  // a file or a text: nothing to merge
    } else if (!is_task_field(field)) {
      errors.push_back({pointer + pointer_step(field), "unknown field"});  // merging would drop it
    }
  }
  if (!errors.empty()) return errors;
  task.merge_patch(patch);
  return new_task_from_json(task, pointer);
}

}  // namespace taskd
