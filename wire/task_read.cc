#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view key, std::string_view problem) {
  throw std::runtime_error("the answer's \"" + std::string(key) + "\" " + std::string(problem));
}

// The member, or null if it is missing or JSON's null.
const json* find(const json& object, std::string_view key) {
  if (!object.is_object()) throw std::runtime_error("the answer is not a JSON object");
  const auto member = object.find(key);
  return member == object.end() || member->is_null() ? nullptr : &*member;
}

template <class Integer>
Integer to_integer(std::string_view key, const json& value) {
  using Limits = std::numeric_limits<Integer>;
  if (!value.is_number_integer()) refuse(key, "is not an integer");
  const auto number = value.get<std::int64_t>();
  if (number < std::int64_t{Limits::min()} || number > std::int64_t{Limits::max()})
    refuse(key, "is out of range");
  return static_cast<Integer>(number);
}

const std::string& to_text(std::string_view key, const json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) refuse(key, "is not a string");
  return *text;
}

template <class Integer>
std::optional<Integer> read_integer(const json& object, std::string_view key) {
  const json* value = find(object, key);
  return value != nullptr ? std::optional(to_integer<Integer>(key, *value)) : std::nullopt;
}

// Leaves `out` unchanged if the member is missing.
template <class Integer>
void read_into(const json& object, std::string_view key, Integer& out) {
  if (const json* value = find(object, key)) out = to_integer<Integer>(key, *value);
}
void read_into(const json& object, std::string_view key, std::string& out) {
  if (const json* value = find(object, key)) out = to_text(key, *value);
}
template <class Enum>
std::optional<Enum> read_enum(const json& object, std::string_view key,
                              std::optional<Enum> (*parse)(std::string_view)) {
  const json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  const auto parsed = parse(to_text(key, *value));
  if (!parsed) refuse(key, "is unknown to this version");
  return parsed;
}

std::optional<WallTime> time_in(const json& object, std::string_view key) {
  const json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  const auto time = parse_rfc3339(to_text(key, *value));
  if (!time) refuse(key, "is not a time stamp");
  return time;
}

template <class Value>
Value required(std::string_view key, const std::optional<Value>& value) {
  if (!value) refuse(key, "is missing");
  return *value;
}

void read_granted(const json& object, Grant& out) {
  const json* granted = find(object, "granted");
  if (granted == nullptr) return;
  if (!granted->is_object()) refuse("granted", "is not an object");
  for (const auto& [resource, units] : granted->items()) {
    if (!units.is_array()) refuse("granted", "has units that are not an array");
    for (const json& unit : units) out[resource].push_back(to_text("granted", unit));
  }
}

std::optional<Outcome> read_outcome(const json& object) {
  const auto kind = read_enum(object, "outcome", parse_outcome_kind);
  if (!kind) return std::nullopt;
  Outcome outcome{.kind = *kind, .code = 0, .detail = {}};
  read_into(object, "exit_code", outcome.code);
  read_into(object, "signal", outcome.code);
  read_into(object, "error", outcome.detail);
  return outcome;
}

void read_progress(const json& object, Task& task) {
  const json* told = find(object, "progress");
  if (told == nullptr) return;
  Progress& progress = task.progress.emplace();
  progress.percent = read_integer<int>(*told, "percent");
  std::string message;
  read_into(*told, "message", message);
  if (!message.empty()) progress.message = message;
  task.progress_at = time_in(*told, "at");
}

}  // namespace

Task task_from_json(const json& object) {
  Task task;
  task.id = required("id", read_integer<TaskId>(object, "id"));
  task.uid = required("uid", read_integer<std::uint32_t>(object, "uid"));
  read_into(object, "former_user", task.former_user);
  if (const json* workflow = find(object, "workflow")) {
    WorkflowPlace& place = task.workflow.emplace();
    place.id = required("workflow", read_integer<std::int64_t>(*workflow, "id"));
    read_into(*workflow, "step", place.step);
  }
  if (const json* array = find(object, "array")) {
    task.array = ArrayPlace{required("array", read_integer<TaskId>(*array, "id")),
                            required("array", read_integer<std::int64_t>(*array, "index"))};
  }
  read_into(object, "schedule", task.schedule);
  task.spec = spec_from_answer(object);
  task.state = required("state", read_enum(object, "state", parse_state));
  task.reason = read_enum(object, "reason", parse_reason);
  read_into(object, "attempt", task.attempt);
  read_into(object, "tries", task.tries);
  read_into(object, "lost", task.lost);
  task.created_at = required("created_at", time_in(object, "created_at"));
  task.due_at = time_in(object, "due_at");
  task.started_at = time_in(object, "started_at");
  task.ended_at = time_in(object, "ended_at");
  task.cancel_requested_at = time_in(object, "cancel_requested_at");
  task.last_outcome = read_outcome(object);
  read_progress(object, task);
  return task;
}

Attempt attempt_from_json(const json& object) {
  Attempt attempt;
  attempt.number = required("number", read_integer<int>(object, "number"));
  attempt.started_at = required("started_at", time_in(object, "started_at"));
  read_granted(object, attempt.granted);
  attempt.ended_at = time_in(object, "ended_at");
  attempt.outcome = read_outcome(object);
  read_into(object, "user_cpu_ms", attempt.usage.user_cpu_ms);
  read_into(object, "system_cpu_ms", attempt.usage.system_cpu_ms);
  read_into(object, "max_rss_bytes", attempt.usage.max_rss_bytes);
  read_into(object, "stderr_tail", attempt.stderr_tail);
  read_into(object, "stdout_dropped_bytes", attempt.stdout_dropped_bytes);
  read_into(object, "stderr_dropped_bytes", attempt.stderr_dropped_bytes);
  return attempt;
}

}  // namespace taskd
