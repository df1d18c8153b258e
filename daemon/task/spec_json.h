// Converts JSON to and from TaskSpec and NewTask, driven by the table of options: for API requests
// and answers, and for the store. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <variant>

#include "daemon/task/strict_json.h"
#include "daemon/task/submit_limits.h"
#include "daemon/task/task.h"

namespace taskd {

class JsonWriter;

// 1 to 64 letters, digits, '.', '_' and '-'; the first a letter or digit.
bool is_valid_queue_name(std::string_view name);

// Reads a submit body. Reports every wrong or unknown field; `pointer_prefix` starts each pointer
// ("#" or "#/tasks/3").
std::variant<NewTask, FieldErrors> new_task_from_json(const nlohmann::json& body,
                                                      const std::string& pointer_prefix = "#");
// Writes a submit body for `task`: only what differs from the defaults. All strings must be valid
// UTF-8, except those that travel as bytes (argv, shell, paths, values of env). Omits unresolved
// dependencies.
nlohmann::json to_json(const NewTask& task);

// Writes a spec's fields for an answer, as members of the open object, except those that the store
// keeps in columns.
void write_answered_spec(JsonWriter& writer, const TaskSpec& spec);
// Reads a spec from a task's answer, including the fields from columns. Throws std::runtime_error.
TaskSpec spec_from_answer(const nlohmann::json& task);

// Version of the stored forms below, which contain it. Raise it for changes that older readers must
// not ignore; a reader rejects higher versions.
inline constexpr int kSpecVersion = 1;
// The stored form: only what differs from the defaults. Queue, name and priority have their own
// columns, dependencies a table; user_name is not stored. Strings as in to_json().
std::string spec_to_stored(const TaskSpec& spec);
// Reads the stored form into `spec`, in which only queue, name, priority and dependencies are set.
// Throws std::runtime_error unless spec_to_stored() wrote the text.
void spec_from_stored(std::string_view text, TaskSpec& spec);
// A complete submit, for tasks that are created later. Dependencies are resolved. Ignores limits
// when reading, so that whatever was accepted can be read back. Throws as spec_from_stored() does.
std::string task_to_stored(const NewTask& task);
NewTask task_from_stored(std::string_view text);

// The part of a spec that the store's writer acts on. Its stored form is short however large the
// spec is, and "" if everything has its default. Throws as spec_from_stored() does.
struct StoredPolicy : TaskPolicy {
  std::int64_t unique_for_ms = 0;
};
StoredPolicy policy_of(const TaskSpec& spec);
std::string policy_to_stored(const TaskSpec& spec);
StoredPolicy policy_from_stored(std::string_view text);

}  // namespace taskd
