#include "daemon/task/queue_handler_defaults.h"

#include <nlohmann/json.hpp>

#include "daemon/task/field_reader.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

// An array with `at_once` uses a key of its own.
bool has_key_of_array(const json& task) {
  const auto array = task.find("array");
  return array != task.end() && array->is_object() && array->contains("at_once");
}

json with_command(const json& defaults) {
  json task = defaults;
  task["shell"] = "true";
  return task;
}

}  // namespace

bool can_be_default(DefaultsOf owner, std::string_view field) {
  const TaskOption* option = find_task_option(field);
  if (option == nullptr) return false;
  return option->default_of == DefaultOf::queue_and_handler ||
         (option->default_of == DefaultOf::handler && owner == DefaultsOf::handler);
}

FieldErrors check_task_defaults(DefaultsOf owner, const json& defaults,
                                const std::string& pointer) {
  if (!defaults.is_object()) return {{pointer, "must be an object"}};
  FieldErrors errors;
  json rest = defaults;
  for (const auto& [field, value] : defaults.items()) {
    if (can_be_default(owner, field) || find_task_option(field) == nullptr) continue;
    errors.push_back({pointer + pointer_step(field), owner == DefaultsOf::queue
                                                         ? "cannot be a default of a queue"
                                                         : "cannot be a default of a handler"});
    rest.erase(field);
  }
  auto read = new_task_from_json(with_command(rest), pointer);
  if (auto* wrong = std::get_if<FieldErrors>(&read)) {
    errors.insert(errors.end(), wrong->begin(), wrong->end());
  }
  return errors;
}

json patch_defaults(const json& defaults, const json& patch) {
  if (patch.is_null()) return json::object();
  json patched = defaults;
  patched.merge_patch(patch);
  for (const auto& [field, value] : patch.items()) {
    const auto left = patched.find(field);
    if (left != patched.end() && left->is_object() && left->empty()) patched.erase(left);
  }
  return patched;
}

TaskSpec spec_with_defaults(const json& defaults) {
  return std::get<NewTask>(new_task_from_json(with_command(defaults))).spec;
}

void take_defaults(json& task, const json& defaults) {
  for (const auto& [field, value] : defaults.items()) {
    const auto own = task.find(field);
    if (own == task.end()) {
      if (field != "key" || !has_key_of_array(task)) task[field] = value;
    } else if ((field == "labels" || field == "backoff") && own->is_object()) {
      for (const auto& [member, item] : value.items()) {
        if (!own->contains(member)) (*own)[member] = item;
      }
    }
  }
}

}  // namespace taskd
