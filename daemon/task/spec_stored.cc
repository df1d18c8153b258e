// The stored form of a spec. The reader checks types, not limits: rows outlive the limits they were
// accepted under.

#include <limits>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "daemon/base/json_writer.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/start_constraints_json.h"

namespace taskd {
namespace {

using nlohmann::json;

void write_backoff(JsonWriter& writer, const Backoff& backoff) {
  const Backoff defaults;
  writer.begin('{');
  if (backoff.kind != defaults.kind) writer.member("kind", to_string(backoff.kind));
  if (backoff.initial_ms != defaults.initial_ms) writer.member("initial_ms", backoff.initial_ms);
  if (backoff.max_ms != defaults.max_ms) writer.member("max_ms", backoff.max_ms);
  if (backoff.jitter != defaults.jitter) writer.member("jitter", backoff.jitter);
  writer.end('}');
}

void write_bytes_member(JsonWriter& writer, std::string_view name, std::string_view bytes) {
  writer.key(name);
  write_bytes(writer, bytes);
}

void write_env(JsonWriter& writer, const std::map<std::string, std::string>& env) {
  writer.key("env");
  writer.begin('{');
  for (const auto& [name, value] : env) {
    writer.text_key(name);
    write_bytes(writer, value);
  }
  writer.end('}');
}

void write_command(JsonWriter& writer, const TaskSpec& spec) {
  if (!spec.argv.empty()) write_argv(writer, spec.argv);
  if (!spec.shell.empty()) write_bytes_member(writer, "shell", spec.shell);
  if (!spec.handler.empty()) writer.member("handler", spec.handler);
  if (!spec.payload.empty()) {
    writer.key("payload");
    writer.raw(spec.payload);
  }
}

void write_stdin(JsonWriter& writer, const TaskSpec& spec) {
  if (spec.stdin_file.empty() && spec.stdin_text.empty()) return;
  writer.key("stdin");
  writer.begin('{');
  if (spec.stdin_file.empty()) {
    writer.member("text", spec.stdin_text);
  } else {
    write_bytes_member(writer, "file", spec.stdin_file);
  }
  writer.end('}');
}

[[noreturn]] void refuse(std::string_view key) {
  throw std::runtime_error("a stored spec has a wrong \"" + std::string(key) + "\"");
}

const std::string& string_of(std::string_view key, const json& value) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) refuse(key);
  return *text;
}

std::string bytes_of(std::string_view key, const json& value) {
  auto bytes = bytes_from_json(value);
  if (!bytes) refuse(key);
  return *std::move(bytes);
}

template <class Integer>
Integer integer_of(std::string_view key, const json& value) {
  using Limits = std::numeric_limits<Integer>;
  if (!value.is_number_integer()) refuse(key);
  const auto number = value.get<std::int64_t>();
  if (value.is_number_unsigned() && number < 0) refuse(key);  // it was larger
  if (number < std::int64_t{Limits::min()} || number > std::int64_t{Limits::max()}) refuse(key);
  return static_cast<Integer>(number);
}

template <class Enum>
Enum enum_of(std::string_view key, const json& value,
             std::optional<Enum> (*parse)(std::string_view)) {
  const auto parsed = parse(string_of(key, value));
  if (!parsed) refuse(key);
  return *parsed;
}

void read_strings(std::string_view key, const json& value,
                  std::map<std::string, std::string>& out) {
  if (!value.is_object()) refuse(key);
  for (const auto& [name, item] : value.items())
    out.emplace_hint(out.end(), name, string_of(key, item));
}

std::uint32_t read_umask(std::string_view key, const json& value) {
  const auto umask = parse_umask(string_of(key, value));
  if (!umask) refuse(key);
  return *umask;
}

void read_matches(std::string_view key, const json& value, std::vector<RetryMatch>& out) {
  if (!value.is_array()) refuse(key);
  for (const json& item : value) {
    if (item.is_string()) {
      out.push_back({.exit_code = {}, .reason = enum_of(key, item, parse_reason)});
    } else {
      out.push_back({.exit_code = integer_of<int>(key, item), .reason = {}});
    }
  }
}

void read_backoff(std::string_view key, const json& value, Backoff& out) {
  if (!value.is_object()) refuse(key);
  for (const auto& [name, item] : value.items()) {
    if (name == "kind") {
      out.kind = enum_of(name, item, parse_backoff_kind);
    } else if (name == "initial_ms") {
      out.initial_ms = integer_of<std::int64_t>(name, item);
    } else if (name == "max_ms") {
      out.max_ms = integer_of<std::int64_t>(name, item);
    } else if (name == "jitter" && item.is_number()) {
      out.jitter = item.get<double>();
    } else {
      refuse(name);
    }
  }
}

void read_stdin(std::string_view key, const json& value, TaskSpec& spec) {
  if (!value.is_object()) refuse(key);
  for (const auto& [name, item] : value.items()) {
    if (name == "file") {
      spec.stdin_file = bytes_of(name, item);
    } else if (name == "text") {
      spec.stdin_text = string_of(name, item);
    } else {
      refuse(name);
    }
  }
}

void read_stored_notify(std::string_view key, const json& value, std::vector<Notify>& out) {
  if (!value.is_array()) refuse(key);
  for (const json& item : value) {
    auto notify = parse_notify(string_of(key, item));
    if (!std::holds_alternative<Notify>(notify)) refuse(key);
    out.push_back(std::get<Notify>(std::move(notify)));
  }
}

void read_member(const std::string& key, const json& value, TaskSpec& spec) {
  if (key == "argv") {
    if (!value.is_array()) refuse(key);
    for (const json& arg : value) spec.argv.push_back(bytes_of(key, arg));
  } else if (key == "shell") {
    spec.shell = bytes_of(key, value);
  } else if (key == "handler") {
    spec.handler = string_of(key, value);
  } else if (key == "payload") {
    spec.payload = value.dump();
  } else if (key == "env") {
    if (!value.is_object()) refuse(key);
    for (const auto& [name, item] : value.items()) spec.env[name] = bytes_of(key, item);
  } else if (key == "cwd") {
    spec.cwd = bytes_of(key, value);
  } else if (key == "umask") {
    spec.umask = read_umask(key, value);
  } else if (key == "stdin") {
    read_stdin(key, value, spec);
  } else if (key == "user") {
    spec.user_uid = integer_of<std::uint32_t>(key, value);
  } else if (key == "user_was") {
    spec.user_was = string_of(key, value);
  } else if (key == "labels") {
    read_strings(key, value, spec.labels);
  } else if (key == "timeout_ms") {
    spec.timeout_ms = integer_of<std::int64_t>(key, value);
  } else if (key == "progress_timeout_ms") {
    spec.progress_timeout_ms = integer_of<std::int64_t>(key, value);
  } else if (key == "grace_ms") {
    spec.grace_ms = integer_of<std::int64_t>(key, value);
  } else if (key == "max_attempts") {
    spec.max_attempts = integer_of<int>(key, value);
  } else if (key == "backoff") {
    read_backoff(key, value, spec.backoff);
  } else if (key == "retry_on") {
    read_matches(key, value, spec.retry_on);
  } else if (key == "no_retry_on") {
    read_matches(key, value, spec.no_retry_on);
  } else if (key == "on_lost") {
    spec.on_lost = enum_of(key, value, parse_on_lost);
  } else if (key == "on_bad_result") {
    spec.on_bad_result = enum_of(key, value, parse_on_bad_result);
  } else if (key == "max_lost") {
    spec.max_lost = integer_of<int>(key, value);
  } else if (key == "keep_ms") {
    spec.keep_ms = integer_of<std::int64_t>(key, value);
  } else if (key == "notify") {
    read_stored_notify(key, value, spec.notify);
  } else if (!constraint_from_json(key, value, spec.constraints)) {
    refuse(key);
  }
}

json object_of(std::string_view text) {
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) throw std::runtime_error("a stored spec is not a JSON object");
  const auto version = document.find("version");
  if (version == document.end()) throw std::runtime_error("a stored spec has no version");
  if (const int number = integer_of<int>("version", *version);
      number < 1 || number > kSpecVersion) {
    throw std::runtime_error("a stored spec has version " + std::to_string(number) +
                             "; this taskd reads up to version " + std::to_string(kSpecVersion));
  }
  document.erase(version);
  return document;
}

ArrayRange read_array(std::string_view key, const json& value) {
  if (!value.is_object()) refuse(key);
  ArrayRange range{0, -1, 1, 0};
  for (const auto& [name, item] : value.items()) {
    if (name == "first") {
      range.first = integer_of<std::int64_t>(key, item);
    } else if (name == "last") {
      range.last = integer_of<std::int64_t>(key, item);
    } else if (name == "step") {
      range.step = integer_of<std::int64_t>(key, item);
    } else if (name == "at_once") {
      range.at_once = integer_of<int>(key, item);
    } else {
      refuse(key);
    }
  }
  if (range.first < 0 || range.last < range.first || range.step < 1 || range.at_once < 0) refuse(key);
  return range;
}

// What a task has besides its stored spec.
bool read_task_member(const std::string& key, const json& value, NewTask& task) {
  if (key == "name") {
    task.spec.name = string_of(key, value);
  } else if (key == "queue") {
    task.spec.queue = string_of(key, value);
  } else if (key == "priority") {
    task.spec.priority = integer_of<int>(key, value);
  } else if (key == "user" && value.is_string()) {
    task.spec.user_name = string_of(key, value);
  } else if (key == "delay_ms") {
    task.delay_ms = integer_of<std::int64_t>(key, value);
  } else if (key == "run_at") {
    task.run_at = parse_rfc3339(string_of(key, value));
    if (!task.run_at) refuse(key);
  } else if (key == "hold" && value.is_boolean()) {
    task.hold = value.get<bool>();
  } else if (key == "array") {
    task.array = read_array(key, value);
  } else {
    return false;
  }
  return true;
}

}  // namespace

void write_matches(JsonWriter& writer, std::string_view name,
                   const std::vector<RetryMatch>& matches) {
  writer.key(name);
  writer.begin('[');
  for (const RetryMatch& match : matches) {
    if (match.exit_code) {
      writer.value(*match.exit_code);
    } else if (match.reason) {
      writer.value(to_string(*match.reason));
    }
  }
  writer.end(']');
}

void write_argv(JsonWriter& writer, const std::vector<std::string>& argv) {
  writer.key("argv");
  writer.begin('[');
  for (const std::string& arg : argv) write_bytes(writer, arg);
  writer.end(']');
}

std::string spec_to_stored(const TaskSpec& spec) {
  static const TaskSpec defaults;
  JsonWriter writer;
  const auto number_unless = [&](std::string_view key, std::int64_t value, std::int64_t usual) {
    if (value != usual) writer.member(key, value);
  };
  writer.begin('{');
  writer.member("version", std::int64_t{kSpecVersion});
  write_command(writer, spec);
  if (!spec.env.empty()) write_env(writer, spec.env);
  if (!spec.cwd.empty()) write_bytes_member(writer, "cwd", spec.cwd);
  if (spec.umask != defaults.umask) writer.member("umask", format_umask(spec.umask));
  write_stdin(writer, spec);
  if (spec.user_uid) writer.member("user", *spec.user_uid);
  if (!spec.user_was.empty()) writer.member("user_was", spec.user_was);
  if (!spec.labels.empty()) writer.member("labels", spec.labels);
  number_unless("timeout_ms", spec.timeout_ms, defaults.timeout_ms);
  number_unless("progress_timeout_ms", spec.progress_timeout_ms, defaults.progress_timeout_ms);
  number_unless("grace_ms", spec.grace_ms, defaults.grace_ms);
  number_unless("max_attempts", spec.max_attempts, defaults.max_attempts);
  if (spec.backoff != defaults.backoff) {
    writer.key("backoff");
    write_backoff(writer, spec.backoff);
  }
  if (!spec.retry_on.empty()) write_matches(writer, "retry_on", spec.retry_on);
  if (!spec.no_retry_on.empty()) write_matches(writer, "no_retry_on", spec.no_retry_on);
  if (spec.on_lost != defaults.on_lost) writer.member("on_lost", to_string(spec.on_lost));
  if (spec.on_bad_result != defaults.on_bad_result) {
    writer.member("on_bad_result", to_string(spec.on_bad_result));
  }
  number_unless("max_lost", spec.max_lost, defaults.max_lost);
  number_unless("keep_ms", spec.keep_ms, defaults.keep_ms);
  if (!spec.notify.empty()) writer.member("notify", format_notify(spec.notify));
  write_flow(writer, spec.constraints, /*all=*/false);
  writer.end('}');
  return writer.take();
}

void spec_from_stored(std::string_view text, TaskSpec& spec) {
  const json document = object_of(text);
  for (const auto& [key, value] : document.items()) read_member(key, value, spec);
}

std::string task_to_stored(const NewTask& task) {
  json document = to_json(task);
  document["version"] = kSpecVersion;
  return document.dump();
}

NewTask task_from_stored(std::string_view text) {
  const json document = object_of(text);
  NewTask task;
  for (const auto& [key, value] : document.items()) {
    if (!read_task_member(key, value, task)) read_member(key, value, task.spec);
  }
  return task;
}

StoredPolicy policy_of(const TaskSpec& spec) {
  return {spec, spec.constraints.unique.for_ms};
}

std::string policy_to_stored(const TaskSpec& spec) {
  static const TaskSpec defaults;
  const Unique& unique = spec.constraints.unique;
  if (static_cast<const TaskPolicy&>(spec) == defaults && unique.for_ms == 0) {
    return "";  // as nearly always
  }
  TaskSpec alone;
  static_cast<TaskPolicy&>(alone) = spec;
  if (unique.for_ms > 0) alone.constraints.unique = unique;
  return spec_to_stored(alone);
}

StoredPolicy policy_from_stored(std::string_view text) {
  if (text.empty()) return {};
  TaskSpec alone;
  spec_from_stored(text, alone);
  return policy_of(alone);
}

}  // namespace taskd
