#include "daemon/task/queue_handler_defaults.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::string_view kOfBoth[] = {"priority",
                                        "timeout_ms",
                                        "progress_timeout_ms",
                                        "grace_ms",
                                        "backoff",
                                        "max_attempts",
                                        "max_lost",
                                        "retry_on",
                                        "no_retry_on",
                                        "on_lost",
                                        "on_bad_result",
                                        "keep_ms",
                                        "key",
                                        "slots",
                                        "resources",
                                        "labels",
                                        "on_dependency_failed"};
// A queue tells hooks of its tasks by a setting of its own.
constexpr std::string_view kOfHandlers[] = {"queue", "notify"};

template <std::size_t N>
bool contains(const std::string_view (&list)[N], std::string_view word) {
  return std::find(std::begin(list), std::end(list), word) != std::end(list);
}

// An array with `at_once` has a key of its own.
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
  return contains(kOfBoth, field) || (owner == DefaultsOf::handler && contains(kOfHandlers, field));
}

FieldErrors check_task_defaults(DefaultsOf owner, const json& defaults,
                                const std::string& pointer) {
  if (!defaults.is_object()) return {{pointer, "must be an object"}};
  FieldErrors errors;
  json rest = defaults;
  for (const auto& [field, value] : defaults.items()) {
    if (can_be_default(owner, field) || !is_task_field(field)) continue;
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
