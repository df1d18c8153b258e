// JSON <-> TaskSpec / NewTask, by the table of options: requests and answers of the API, and what
// the store keeps. Pure functions.
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

// A submit body. Every wrong field is reported, unknown ones too; `pointer_prefix` stands before
// each pointer ("#" or "#/tasks/3").
std::variant<NewTask, FieldErrors> new_task_from_json(const nlohmann::json& body,
                                                      const std::string& pointer_prefix = "#");
// The submit body for `task`: only what differs from the defaults. All strings but those that
// travel as bytes (argv, shell, paths, values of env) must be valid UTF-8. Dependencies that are
// not resolved yet are left out.
nlohmann::json to_json(const NewTask& task);

// What an answer says of a spec, as members of the object that is open, but for what the store
// keeps in columns.
void write_answered_spec(JsonWriter& writer, const TaskSpec& spec);
// Reads them back from a task's answer, columns included; throws std::runtime_error.
TaskSpec spec_from_answer(const nlohmann::json& task);

// Of the stored forms below, which name it. It goes up with whatever an older reader must not pass
// over; a form with a higher version cannot be read.
inline constexpr int kSpecVersion = 1;
// The stored form: only what differs from the defaults. queue, name and priority have columns of
// their own, the dependencies a table; user_name is not stored. Strings as in to_json().
std::string spec_to_stored(const TaskSpec& spec);
// Reads the stored form into a `spec` that is fresh but for queue, name, priority and dependencies.
// Throws std::runtime_error when the text is not one spec_to_stored() wrote.
void spec_from_stored(std::string_view text, TaskSpec& spec);
// A whole submit, for tasks that are made later. Dependencies are resolved. Whatever was accepted
// reads back, under the limits of its time. Throws as spec_from_stored() does.
std::string task_to_stored(const NewTask& task);
NewTask task_from_stored(std::string_view text);

// What the store's writer decides by. Its stored form is short whatever the spec is, and "" where
// all of it is as by default. Throws as spec_from_stored() does.
struct StoredPolicy : TaskPolicy {
  std::int64_t unique_for_ms = 0;
};
StoredPolicy policy_of(const TaskSpec& spec);
std::string policy_to_stored(const TaskSpec& spec);
StoredPolicy policy_from_stored(std::string_view text);

}  // namespace taskd
