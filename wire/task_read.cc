#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/text.h"
#include "daemon/task/start_constraints_json.h"
#include "wire/wire.h"

namespace taskd {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(std::string_view key, std::string_view problem) {
  throw std::runtime_error("the answer's \"" + std::string(key) + "\" " + std::string(problem));
}

// The member of that name, or null when it is missing or JSON's null.
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

std::string to_bytes(std::string_view key, const json& value) {
  auto bytes = bytes_from_json(value);
  if (!bytes) refuse(key, "is neither a string nor base64");
  return *std::move(bytes);
}

template <class Integer>
std::optional<Integer> read_integer(const json& object, std::string_view key) {
  const json* value = find(object, key);
  return value != nullptr ? std::optional(to_integer<Integer>(key, *value)) : std::nullopt;
}

// Where the member is missing `out` keeps its value.
template <class Integer>
void read_into(const json& object, std::string_view key, Integer& out) {
  if (const json* value = find(object, key)) out = to_integer<Integer>(key, *value);
}
void read_into(const json& object, std::string_view key, std::string& out) {
  if (const json* value = find(object, key)) out = to_text(key, *value);
}
void read_bytes_into(const json& object, std::string_view key, std::string& out) {
  if (const json* value = find(object, key)) out = to_bytes(key, *value);
}
void read_into(const json& object, std::string_view key, std::map<std::string, std::string>& out) {
  const json* value = find(object, key);
  if (value == nullptr) return;
  if (!value->is_object()) refuse(key, "is not an object");
  for (const auto& [name, item] : value->items()) out[name] = to_text(key, item);
}

template <class Enum>
std::optional<Enum> read_enum(const json& object, std::string_view key,
                              std::optional<Enum> (*parse)(std::string_view)) {
  const json* value = find(object, key);
  if (value == nullptr) return std::nullopt;
  const auto parsed = parse(to_text(key, *value));
  if (!parsed) refuse(key, "is a word this version does not know");
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

void read_matches(const json& object, std::string_view key, std::vector<RetryMatch>& out) {
  const json* value = find(object, key);
  if (value == nullptr) return;
  if (!value->is_array()) refuse(key, "is not an array");
  for (const json& item : *value) {
    if (item.is_string()) {
      const auto reason = parse_reason(to_text(key, item));
      if (!reason) refuse(key, "has a word this version does not know");
      out.push_back({.exit_code = {}, .reason = reason});
    } else {
      out.push_back({.exit_code = to_integer<int>(key, item), .reason = {}});
    }
  }
}

void read_backoff(const json& object, Backoff& out) {
  const json* backoff = find(object, "backoff");
  if (backoff == nullptr) return;
  out.kind = read_enum(*backoff, "kind", parse_backoff_kind).value_or(out.kind);
  read_into(*backoff, "initial_ms", out.initial_ms);
  read_into(*backoff, "max_ms", out.max_ms);
  if (const json* jitter = find(*backoff, "jitter")) {
    if (!jitter->is_number()) refuse("jitter", "is not a number");
    out.jitter = jitter->get<double>();
  }
}

void read_argv(const json& object, std::vector<std::string>& out) {
  const json* argv = find(object, "argv");
  if (argv == nullptr) return;
  if (!argv->is_array()) refuse("argv", "is not an array");
  for (const json& arg : *argv) out.push_back(to_bytes("argv", arg));
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

void read_notify(const json& object, std::vector<Notify>& out) {
  const json* list = find(object, "notify");
  if (list == nullptr) return;
  if (!list->is_array()) refuse("notify", "is not an array");
  for (const json& item : *list) {
    auto notify = parse_notify(to_text("notify", item));
    if (!std::holds_alternative<Notify>(notify))
      refuse("notify", "has an event this version does not know");
    out.push_back(std::get<Notify>(std::move(notify)));
  }
}

void read_spec(const json& object, TaskSpec& spec) {
  read_argv(object, spec.argv);
  read_bytes_into(object, "shell", spec.shell);
  read_into(object, "handler", spec.handler);
  if (const json* payload = find(object, "payload")) spec.payload = payload->dump();
  read_into(object, "name", spec.name);
  read_into(object, "queue", spec.queue);
  read_into(object, "priority", spec.priority);
  read_into(object, "env", spec.env);
  read_bytes_into(object, "cwd", spec.cwd);
  spec.umask = read_enum(object, "umask", parse_umask).value_or(spec.umask);
  if (const json* source = find(object, "stdin")) {
    read_bytes_into(*source, "file", spec.stdin_file);
    read_into(*source, "text", spec.stdin_text);
  }
  spec.user_uid = read_integer<std::uint32_t>(object, "user");
  read_into(object, "labels", spec.labels);
  read_into(object, "timeout_ms", spec.timeout_ms);
  read_into(object, "progress_timeout_ms", spec.progress_timeout_ms);
  read_into(object, "grace_ms", spec.grace_ms);
  read_into(object, "max_attempts", spec.max_attempts);
  read_backoff(object, spec.backoff);
  read_matches(object, "retry_on", spec.retry_on);
  read_matches(object, "no_retry_on", spec.no_retry_on);
  spec.on_lost = read_enum(object, "on_lost", parse_on_lost).value_or(spec.on_lost);
  spec.on_bad_result =
      read_enum(object, "on_bad_result", parse_on_bad_result).value_or(spec.on_bad_result);
  read_into(object, "max_lost", spec.max_lost);
  read_into(object, "keep_ms", spec.keep_ms);
  read_notify(object, spec.notify);
  for (const auto& [key, value] : object.items()) constraint_from_json(key, value, spec.constraints);
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
  read_spec(object, task.spec);
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
