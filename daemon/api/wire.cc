#include "daemon/api/wire.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "daemon/base/text.h"
#include "daemon/task/task_flow_json.h"

namespace taskd {
namespace {

using nlohmann::json;

// --- writing ------------------------------------------------------------------------------------

json text_or_null(const std::string& text) {
  return text.empty() ? json(nullptr) : json(text);
}

json matches_to_json(const std::vector<RetryMatch>& matches) {
  json out = json::array();
  for (const RetryMatch& match : matches) {
    if (match.exit_code) {
      out.push_back(*match.exit_code);
    } else if (match.reason) {
      out.push_back(to_string(*match.reason));
    }
  }
  return out;
}

json error_to_json(const Outcome& outcome) {
  if (outcome.kind == OutcomeKind::spawn_failed && outcome.code != 0) {
    const std::string cause = std::generic_category().message(outcome.code);
    return outcome.detail.empty() ? cause : outcome.detail + ": " + cause;
  }
  return text_or_null(outcome.detail);
}

void add_outcome(json& out, const std::optional<Outcome>& outcome) {
  const auto code_of = [&](OutcomeKind kind) {
    return outcome && outcome->kind == kind ? json(outcome->code) : json(nullptr);
  };
  out["outcome"] = outcome ? json(to_string(outcome->kind)) : json(nullptr);
  out["exit_code"] = code_of(OutcomeKind::exited);
  out["signal"] = code_of(OutcomeKind::signaled);
  out["error"] = outcome ? error_to_json(*outcome) : json(nullptr);
}

// A text may be long or secret: that there is one must do.
json stdin_to_json(const TaskSpec& spec) {
  if (!spec.stdin_file.empty()) return {{"file", spec.stdin_file}};
  return spec.stdin_text.empty() ? json(nullptr) : json{{"text", "***"}};
}

void add_spec(json& out, const TaskSpec& spec) {
  if (!spec.handler.empty()) {
    out["handler"] = spec.handler;
  } else if (spec.argv.empty()) {
    out["shell"] = spec.shell;
  } else {
    out["argv"] = spec.argv;
  }
  out["command"] = command_line(spec);
  out["name"] = spec.name;
  out["queue"] = spec.queue;
  out["priority"] = spec.priority;
  json& env = out["env"] = json::object();
  for (const auto& [name, value] : spec.env) env[name] = "***";
  out["cwd"] = text_or_null(spec.cwd);
  out["stdin"] = stdin_to_json(spec);
  out["user"] = spec.user_uid ? json(*spec.user_uid) : json(nullptr);
  out["labels"] = spec.labels;
  out["timeout_ms"] = spec.timeout_ms;
  out["progress_timeout_ms"] = spec.progress_timeout_ms;
  out["grace_ms"] = spec.grace_ms;
  out["max_attempts"] = spec.max_attempts;
  json& backoff = out["backoff"];  // member by member: a list of pairs would be copied
  backoff["kind"] = to_string(spec.backoff.kind);
  backoff["initial_ms"] = spec.backoff.initial_ms;
  backoff["max_ms"] = spec.backoff.max_ms;
  backoff["jitter"] = spec.backoff.jitter;
  out["retry_on"] = matches_to_json(spec.retry_on);
  out["no_retry_on"] = matches_to_json(spec.no_retry_on);
  out["on_lost"] = to_string(spec.on_lost);
  out["max_lost"] = spec.max_lost;
  out["keep_ms"] = spec.keep_ms;
  out["notify"] = format_notify(spec.notify);
  add_flow(out, spec.flow, /*all=*/true);
}

json progress_to_json(const Task& task) {
  if (!task.progress) return nullptr;
  const auto& [percent, message] = *task.progress;
  return {{"percent", percent ? json(*percent) : json(nullptr)},
          {"message", message.value_or("")},
          {"at", time_or_null(task.progress_at)}};
}

// --- reading ------------------------------------------------------------------------------------

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

std::optional<WallTime> read_time(const json& object, std::string_view key) {
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
  for (const json& arg : *argv) out.push_back(to_text("argv", arg));
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
  read_into(object, "shell", spec.shell);
  read_into(object, "handler", spec.handler);
  if (const json* payload = find(object, "payload")) spec.payload = payload->dump();
  read_into(object, "name", spec.name);
  read_into(object, "queue", spec.queue);
  read_into(object, "priority", spec.priority);
  read_into(object, "env", spec.env);
  read_into(object, "cwd", spec.cwd);
  if (const json* source = find(object, "stdin")) {
    read_into(*source, "file", spec.stdin_file);
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
  read_into(object, "max_lost", spec.max_lost);
  read_into(object, "keep_ms", spec.keep_ms);
  read_notify(object, spec.notify);
  for (const auto& [key, value] : object.items()) flow_member_from_json(key, value, spec.flow);
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
  task.progress_at = read_time(*told, "at");
}

}  // namespace

json time_or_null(const std::optional<WallTime>& time) {
  return time ? json(format_rfc3339(*time)) : json(nullptr);
}

json task_to_json(const Task& task) {
  json out = json::object();
  out["id"] = task.id;
  out["uid"] = task.uid;
  out["workflow"] = task.workflow ? json{{"id", task.workflow->id}, {"step", task.workflow->step}}
                                  : json(nullptr);
  out["array"] =
      task.array ? json{{"id", task.array->array}, {"index", task.array->index}} : json(nullptr);
  out["schedule"] = text_or_null(task.schedule);
  add_spec(out, task.spec);
  out["state"] = to_string(task.state);
  out["reason"] = task.reason ? json(to_string(*task.reason)) : json(nullptr);
  out["attempt"] = task.attempt;
  out["tries"] = task.tries;
  out["lost"] = task.lost;
  out["created_at"] = format_rfc3339(task.created_at);
  out["due_at"] = time_or_null(task.due_at);
  out["started_at"] = time_or_null(task.started_at);
  out["ended_at"] = time_or_null(task.ended_at);
  out["cancel_requested_at"] = time_or_null(task.cancel_requested_at);
  add_outcome(out, task.last_outcome);
  out["progress"] = progress_to_json(task);
  return out;
}

json attempt_to_json(const Attempt& attempt) {
  json out = json::object();
  out["number"] = attempt.number;
  out["started_at"] = format_rfc3339(attempt.started_at);
  out["granted"] = attempt.granted;
  out["ended_at"] = time_or_null(attempt.ended_at);
  add_outcome(out, attempt.outcome);
  out["user_cpu_ms"] = attempt.usage.user_cpu_ms;
  out["system_cpu_ms"] = attempt.usage.system_cpu_ms;
  out["max_rss_bytes"] = attempt.usage.max_rss_bytes;
  out["stderr_tail"] = attempt.stderr_tail;
  return out;
}

Task task_from_json(const json& object) {
  Task task;
  task.id = required("id", read_integer<TaskId>(object, "id"));
  task.uid = required("uid", read_integer<std::uint32_t>(object, "uid"));
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
  task.created_at = required("created_at", read_time(object, "created_at"));
  task.due_at = read_time(object, "due_at");
  task.started_at = read_time(object, "started_at");
  task.ended_at = read_time(object, "ended_at");
  task.cancel_requested_at = read_time(object, "cancel_requested_at");
  task.last_outcome = read_outcome(object);
  read_progress(object, task);
  return task;
}

json task_with_payload_to_json(const Task& task) {
  json out = task_to_json(task);
  if (!task.spec.handler.empty())
    out["payload"] = task.spec.payload.empty() ? json(nullptr) : json::parse(task.spec.payload);
  return out;
}

Attempt attempt_from_json(const json& object) {
  Attempt attempt;
  attempt.number = required("number", read_integer<int>(object, "number"));
  attempt.started_at = required("started_at", read_time(object, "started_at"));
  read_granted(object, attempt.granted);
  attempt.ended_at = read_time(object, "ended_at");
  attempt.outcome = read_outcome(object);
  read_into(object, "user_cpu_ms", attempt.usage.user_cpu_ms);
  read_into(object, "system_cpu_ms", attempt.usage.system_cpu_ms);
  read_into(object, "max_rss_bytes", attempt.usage.max_rss_bytes);
  read_into(object, "stderr_tail", attempt.stderr_tail);
  return attempt;
}

}  // namespace taskd
