// JSON <-> TaskSpec / NewTask: the one reader for the API's bodies and the one writer for the
// store's spec column and the API's answers. Pure functions.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

class JsonWriter;

// One complaint about a JSON document. `pointer` is an RFC 6901 fragment, percent-encoded to plain
// ASCII: "#/argv/0", "#/env/A%20B".
struct FieldError {
  std::string pointer;
  std::string detail;
};
using FieldErrors = std::vector<FieldError>;

// Reads JSON text without mercy: one object; no duplicate keys; depth at most 32; valid UTF-8
// without lone surrogates or \u0000; integers that fit 64 bits. On failure the error says how far
// it came.
struct JsonError {
  std::size_t offset_bytes = 0;
  std::string detail;
};
std::variant<nlohmann::json, JsonError> parse_strict_json(std::string_view text);
// The same for any one value.
std::variant<nlohmann::json, JsonError> parse_strict_value(std::string_view text);

// Bytes that may be no UTF-8 (arguments, paths, values of variables) as JSON: a string where they
// are, else {"base64":"…"}.
nlohmann::json bytes_to_json(std::string_view bytes);
void write_bytes(JsonWriter& writer, std::string_view bytes);
// The bytes of either form; nothing for any other value.
std::optional<std::string> bytes_from_json(const nlohmann::json& value);

// Limits on a submit, from the threat model.
inline constexpr std::size_t kMaxNameBytes = 200;
inline constexpr std::size_t kMaxArgs = 1000;
inline constexpr std::size_t kMaxArgBytes = 131'071;  // MAX_ARG_STRLEN less its NUL
inline constexpr std::size_t kMaxEnv = 1000;
inline constexpr std::size_t kMaxEnvBytes = 131'072;  // all names and values together
inline constexpr std::size_t kMaxLabels = 64;
inline constexpr std::size_t kMaxCwdBytes = 4096;  // and of any other path
inline constexpr std::size_t kMaxStdinBytes = 512 << 10;
inline constexpr std::size_t kMaxPayloadBytes = 512 << 10;  // as compact JSON
inline constexpr int kMaxAttempts = 1000;
inline constexpr int kMaxLost = 100;
inline constexpr std::size_t kMaxFieldErrors = 100;  // no more are reported

// 1 to 64 letters, digits, '.', '_' and '-'; the first a letter or digit.
bool is_valid_queue_name(std::string_view name);

// The fields that no task with a handler has, since the handler says them.
inline constexpr std::string_view kSaidByHandler[] = {"env", "cwd", "umask", "stdin", "user"};
bool is_said_by_handler(std::string_view field);

// Whether a submit has a field of this name.
bool is_task_field(std::string_view name);

// A submit body. Every wrong field is reported, unknown ones too; `pointer_prefix` stands before
// each pointer ("#" or "#/tasks/3").
std::variant<NewTask, FieldErrors> new_task_from_json(const nlohmann::json& body,
                                                      const std::string& pointer_prefix = "#");
// The submit body for `task`: only what differs from the defaults. All strings but those that travel
// as bytes (argv, shell, paths, values of env) must be valid UTF-8.
nlohmann::json to_json(const NewTask& task);

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
// Members of the object that is open, for the stored form and for answers.
void write_argv(JsonWriter& writer, const std::vector<std::string>& argv);
void write_matches(JsonWriter& writer, std::string_view name,
                   const std::vector<RetryMatch>& matches);

}  // namespace taskd
