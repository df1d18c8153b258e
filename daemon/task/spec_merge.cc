#include "daemon/task/spec_merge.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string_view>
#include <utility>

#include "daemon/task/field_reader.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::string_view kCommands[] = {"argv", "shell", "handler"};

bool is_command(std::string_view field) {
  return std::find(std::begin(kCommands), std::end(kCommands), field) != std::end(kCommands);
}

bool has_command(const json& task) {
  return std::any_of(std::begin(kCommands), std::end(kCommands),
                     [&](std::string_view field) { return task.contains(field); });
}

// The other field for the start, or "".
std::string_view other_start(std::string_view field) {
  if (field == "delay_ms") return "run_at";
  return field == "run_at" ? "delay_ms" : "";
}

// If the patch names another kind of command, drops the fields of the old one.
void drop_command(json& task, const json& patch) {
  for (const std::string_view field : kCommands) task.erase(std::string(field));
  if (!patch.contains("handler")) {
    task.erase("payload");
    return;
  }
  for (const TaskOption& option : task_options()) {
    if (option.is_of_handler) task.erase(std::string(option.field));
  }
}

}  // namespace

void fill_in(json& task, const json& defaults) {
  const bool own_command = has_command(task);
  const bool has_handler = (own_command ? task : defaults).contains("handler");
  for (const auto& [field, value] : defaults.items()) {
    const std::string_view other = other_start(field);
    const bool fits = is_command(field)      ? !own_command
                      : field == "payload"   ? has_handler
                      : is_of_handler(field) ? !has_handler
                                             : true;
    if (!fits || task.contains(field) || (!other.empty() && task.contains(other))) continue;
    task[field] = value;
  }
}

FieldErrors check_defaults(const json& defaults, const std::string& pointer) {
  if (!defaults.is_object()) return {{pointer, "must be an object"}};
  json task = defaults;
  if (!has_command(task)) {
    task["shell"] = "true";
    task.erase("payload");  // applies only to tasks with a handler, and is checked there
  }
  auto read = new_task_from_json(task, pointer);
  auto* errors = std::get_if<FieldErrors>(&read);
  return errors != nullptr ? std::move(*errors) : FieldErrors{};
}

std::variant<NewTask, FieldErrors> patch_task(const TaskSpec& spec, const json& patch,
                                              const std::string& pointer) {
  if (!patch.is_object()) return FieldErrors{{pointer, "must be an object"}};
  NewTask before;
  before.spec = spec;
  // Stored dependencies are in another form than in a submit, and a patch replaces them as a whole.
  before.spec.constraints.depends_on.clear();
  json task = to_json(before);
  FieldErrors errors;
  bool new_command = false;
  for (const auto& [field, value] : patch.items()) {
    if (!value.is_null()) {
      new_command |= is_command(field) && !task.contains(field);
      if (const auto other = other_start(field); !patch.contains(other))
        task.erase(std::string(other));
      // stdin and payload are replaced, not merged.
      if (field == "stdin" || field == "payload") task.erase(field);
    } else if (find_task_option(field) == nullptr) {
      errors.push_back({pointer + pointer_step(field), "unknown field"});  // merging would drop it
    }
  }
  if (!errors.empty()) return errors;
  if (new_command) drop_command(task, patch);
  task.merge_patch(patch);
  // Unchanged, including its nulls.
  if (const auto payload = patch.find("payload"); payload != patch.end() && !payload->is_null())
    task["payload"] = *payload;
  auto read = new_task_from_json(task, pointer);
  if (auto* made = std::get_if<NewTask>(&read); made != nullptr && !patch.contains("depends_on"))
    made->spec.constraints.depends_on = spec.constraints.depends_on;
  if (auto* made = std::get_if<NewTask>(&read); made != nullptr && !patch.contains("user"))
    made->spec.user_was = spec.user_was;
  return read;
}

}  // namespace taskd
