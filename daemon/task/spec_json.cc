#include "daemon/task/spec_json.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/base/base64.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/start_constraints_json.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxGraceMs = 24LL * 3600 * 1000;
constexpr std::int64_t kMaxUid = 4'294'967'294;  // the next one, (uid_t)-1, means "no user"
constexpr std::size_t kMaxRetryMatches = 260;    // every exit code and every reason once
constexpr std::size_t kMaxQueueBytes = 64;
constexpr const char* kBase64 = "base64";
constexpr std::string_view kNotInNames("=\0", 2);  // of variables

void read_argv(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array of strings");
  if (value.empty() || value.size() > kMaxArgs)
    return reader.complain(at, "must have 1 to " + std::to_string(kMaxArgs) + " items");
  task.spec.argv.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::string arg;
    if (reader.c_bytes(value[i], at + "/" + std::to_string(i), kMaxArgBytes, arg))
      task.spec.argv.push_back(std::move(arg));
  }
  if (bytes_from_json(value[0]) == "") reader.complain(at + "/0", "must not be empty");
}

void read_shell(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  std::string text;
  if (!reader.c_bytes(value, at, kMaxArgBytes, text)) return;
  if (text.empty()) return reader.complain(at, "must not be empty");
  task.spec.shell = std::move(text);
}

void read_handler(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  if (!is_valid_queue_name(*text)) {
    return reader.complain(
        at, "must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit");
  }
  task.spec.handler = *text;
}

// Any JSON is one: what is in it is between who submits it and the handler.
void read_payload(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (value.is_null()) return;
  std::string text = value.dump();
  if (text.size() > kMaxPayloadBytes)
    return reader.complain(
        at, "must have at most " + std::to_string(kMaxPayloadBytes) + " bytes as compact JSON");
  task.spec.payload = std::move(text);
}

void read_name(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  const auto* text = reader.string(value, at);
  if (text != nullptr && reader.plain(*text, at)) task.spec.name = *text;
}

void read_queue(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  if (!is_valid_queue_name(*text)) {
    return reader.complain(
        at, "must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or digit");
  }
  task.spec.queue = *text;
}

void read_priority(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (value.is_number_integer()) {
    using Limits = std::numeric_limits<std::int32_t>;
    return reader.integer(value, at, Limits::min(), Limits::max(), task.spec.priority);
  }
  const auto* text = value.get_ptr<const std::string*>();
  const bool is_word = text != nullptr && !text->empty() && text->front() >= 'a';
  const auto priority = is_word ? parse_priority(*text) : std::nullopt;
  if (!priority)
    return reader.wrong_type(value, at, "an integer or \"low\", \"normal\", \"high\", \"urgent\"");
  task.spec.priority = *priority;
}

void read_env(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object of strings");
  if (value.size() > kMaxEnv)
    return reader.complain(at, "must have at most " + std::to_string(kMaxEnv) + " variables");
  std::size_t bytes = 0;
  for (const auto& [name, item] : value.items()) {
    const std::string place = at + pointer_step(name);
    if (name.empty() || name.find_first_of(kNotInNames) != std::string::npos)
      reader.complain(place, "the variable's name must not be empty or contain '=' or NUL");
    std::string text;
    if (!reader.c_bytes(item, place, kMaxEnvBytes, text)) continue;
    bytes += name.size() + text.size();
    task.spec.env.emplace_hint(task.spec.env.end(), name, std::move(text));
  }
  if (bytes > kMaxEnvBytes)
    reader.complain(at, "must have at most " + std::to_string(kMaxEnvBytes) + " bytes in all");
}

void read_path(FieldReader& reader, const json& value, const std::string& at, std::string& out) {
  std::string text;
  if (!reader.c_bytes(value, at, kMaxCwdBytes, text)) return;
  if (!text.starts_with('/')) return reader.complain(at, "must be an absolute path");
  out = std::move(text);
}

// A number would leave open whether its digits are octal.
void read_umask(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  const auto* text = value.get_ptr<const std::string*>();
  const auto umask = text != nullptr ? parse_umask(*text) : std::nullopt;
  if (!umask)
    return reader.wrong_type(
        value, at, "a string of octal digits from \"0000\" to \"0777\", such as \"0027\"");
  task.spec.umask = *umask;
}

constexpr JsonField<TaskSpec> kStdinFields[] = {
    {"file", [](FieldReader& reader, const json& value, const std::string& at,
                TaskSpec& spec) { read_path(reader, value, at, spec.stdin_file); }},
    {"text",
     [](FieldReader& reader, const json& value, const std::string& at, TaskSpec& spec) {
       const auto* text = reader.c_string(value, at, kMaxStdinBytes);
       if (text != nullptr) spec.stdin_text = *text;
     }},
};

void read_stdin(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object");
  read_fields(reader, value, at, kStdinFields, task.spec);
  if (value.contains("file") == value.contains("text"))
    reader.complain(at, "exactly one of \"file\" and \"text\" is needed");
}

void read_user(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (value.is_number_integer()) {
    std::int64_t uid = -1;
    reader.integer(value, at, 0, kMaxUid, uid);
    if (uid >= 0) task.spec.user_uid = static_cast<std::uint32_t>(uid);
    return;
  }
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) return reader.wrong_type(value, at, "a user name or an integer");
  if (text->empty()) return reader.complain(at, "must not be empty");
  if (reader.plain(*text, at)) task.spec.user_name = *text;
}

void read_labels(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object of strings");
  if (value.size() > kMaxLabels)
    return reader.complain(at, "must have at most " + std::to_string(kMaxLabels) + " labels");
  for (const auto& [name, item] : value.items()) {
    const std::string place = at + pointer_step(name);
    // A filter is written key=value.
    if (name.empty() || name.find('=') != std::string::npos)
      reader.complain(place, "the label's key must not be empty or contain '='");
    const auto* text = reader.string(item, place);
    if (reader.plain(name, place) && text != nullptr && reader.plain(*text, place))
      task.spec.labels.emplace_hint(task.spec.labels.end(), name, *text);
  }
}

void read_delay(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  reader.duration(value, at, task.delay_ms.emplace());
}

void read_run_at(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  task.run_at = parse_rfc3339(*text);
  if (!task.run_at)
    reader.complain(at, "must be an RFC 3339 time stamp such as \"2026-03-01T12:00:00Z\"");
}

constexpr JsonField<ArrayRange> kArrayFields[] = {
    {"first", [](FieldReader& reader, const json& value, const std::string& at,
                 ArrayRange& range) { reader.integer(value, at, 0, kMaxArrayIndex, range.first); }},
    {"last", [](FieldReader& reader, const json& value, const std::string& at,
                ArrayRange& range) { reader.integer(value, at, 0, kMaxArrayIndex, range.last); }},
    {"step", [](FieldReader& reader, const json& value, const std::string& at,
                ArrayRange& range) { reader.integer(value, at, 1, kMaxArrayIndex, range.step); }},
    {"at_once",
     [](FieldReader& reader, const json& value, const std::string& at, ArrayRange& range) {
       reader.integer(value, at, 1, kMaxKeyLimit, range.at_once);
     }},
};

void read_array(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (value.is_null()) return;
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  ArrayRange& range = task.array.emplace();
  read_fields(reader, value, at, kArrayFields, range);
  if (!value.contains("first") || !value.contains("last"))
    return reader.complain(at, "both \"first\" and \"last\" are needed");
  if (range.last < range.first) return reader.complain(at + "/last", "must not be below \"first\"");
  if (range.count() > kMaxArrayTasks)
    reader.complain(at, "must have at most " + std::to_string(kMaxArrayTasks) + " tasks");
}

// Exactly one of the three kinds, and nothing beside a handler that is the handler's to say.
void check_command(FieldReader& reader, const json& body, const std::string& at) {
  const bool has_handler = body.contains("handler");
  if (body.contains("argv") + body.contains("shell") + has_handler != 1)
    reader.complain(at, "exactly one of \"argv\", \"shell\" and \"handler\" is needed");
  if (body.contains("payload") && !has_handler)
    reader.complain(at + "/payload", "is for a task with \"handler\"");
  for (const auto& [field, value] : body.items()) {
    if (has_handler && is_said_by_handler(field))
      reader.complain(at + pointer_step(field), "is for the handler to say; leave it out");
  }
}

// What would mean something else for each task of an array.
void check_array(FieldReader& reader, const std::string& at, const NewTask& task) {
  if (!task.array) return;
  if (!task.spec.constraints.unique.key.empty())
    reader.complain(at + "/unique", "cannot be given for an array");
  if (task.array->at_once > 0 && !task.spec.constraints.key.name.empty())
    reader.complain(at + "/key", "cannot be given beside \"at_once\", which is a key of its own");
  const std::size_t rows = 1 + task.spec.constraints.named.size() + task.spec.labels.size();
  if (task.array->count() > kMaxArrayRows / static_cast<std::int64_t>(rows))
    reader.complain(at + "/array",
                    "is too large: each of its tasks has dependencies and labels of its own, and "
                    "all of them may be at most " +
                        std::to_string(kMaxArrayRows));
}

constexpr JsonField<Backoff> kBackoffFields[] = {
    {"kind",
     [](FieldReader& reader, const json& value, const std::string& at, Backoff& backoff) {
       const auto* text = value.get_ptr<const std::string*>();
       const auto kind = text != nullptr ? parse_backoff_kind(*text) : std::nullopt;
       if (!kind)
         return reader.wrong_type(value, at, "\"exponential\", \"linear\" or \"constant\"");
       backoff.kind = *kind;
     }},
    {"initial_ms", [](FieldReader& reader, const json& value, const std::string& at,
                      Backoff& backoff) { reader.duration(value, at, backoff.initial_ms); }},
    {"max_ms", [](FieldReader& reader, const json& value, const std::string& at,
                  Backoff& backoff) { reader.duration(value, at, backoff.max_ms); }},
    {"jitter",
     [](FieldReader& reader, const json& value, const std::string& at, Backoff& backoff) {
       if (!value.is_number()) return reader.wrong_type(value, at, "a number from 0 to 1");
       const auto jitter = value.get<double>();
       if (!(jitter >= 0 && jitter <= 1)) return reader.complain(at, "must be from 0 to 1");
       backoff.jitter = jitter;
     }},
};

void read_backoff(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object");
  read_fields(reader, value, at, kBackoffFields, task.spec.backoff);
}

void read_retry_match(FieldReader& reader, const json& value, const std::string& at,
                      std::vector<RetryMatch>& out) {
  if (value.is_number_integer()) {
    int code = 0;
    reader.integer(value, at, 1, 255, code);
    if (code != 0) out.push_back({.exit_code = code, .reason = {}});
    return;
  }
  // Only what a command can do by itself: the other reasons are never tried again, or not a try.
  const auto* text = value.get_ptr<const std::string*>();
  const auto reason = text != nullptr ? parse_reason(*text) : std::nullopt;
  if (!reason || *reason > Reason::spawn) {
    return reader.wrong_type(
        value, at,
        "an exit code from 1 to 255, or \"exit\", \"signal\", \"timeout\", \"oom\" or \"spawn\"");
  }
  out.push_back({.exit_code = {}, .reason = reason});
}

void read_retry_matches(FieldReader& reader, const json& value, const std::string& at,
                        std::vector<RetryMatch>& out) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array");
  if (value.size() > kMaxRetryMatches)
    return reader.complain(at, "must have at most " + std::to_string(kMaxRetryMatches) + " items");
  for (std::size_t i = 0; i < value.size(); ++i)
    read_retry_match(reader, value[i], at + "/" + std::to_string(i), out);
}

void read_on_lost(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  const auto* text = value.get_ptr<const std::string*>();
  const auto on_lost = text != nullptr ? parse_on_lost(*text) : std::nullopt;
  if (!on_lost) return reader.wrong_type(value, at, "\"rerun\" or \"fail\"");
  task.spec.on_lost = *on_lost;
}

void read_on_bad_result(FieldReader& reader, const json& value, const std::string& at,
                        NewTask& task) {
  const auto* text = value.get_ptr<const std::string*>();
  const auto on_bad_result = text != nullptr ? parse_on_bad_result(*text) : std::nullopt;
  if (!on_bad_result) return reader.wrong_type(value, at, "\"fail\" or \"ignore\"");
  task.spec.on_bad_result = *on_bad_result;
}

// Of a field that concerns the constraints alone.
template <void (*read)(FieldReader&, const json&, const std::string&, StartConstraints&)>
void read_flow(FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
  read(reader, value, at, task.spec.constraints);
}

constexpr JsonField<NewTask> kTaskFields[] = {
    {"argv", read_argv},
    {"shell", read_shell},
    {"handler", read_handler},
    {"payload", read_payload},
    {"name", read_name},
    {"queue", read_queue},
    {"priority", read_priority},
    {"env", read_env},
    {"cwd", [](FieldReader& reader, const json& value, const std::string& at,
               NewTask& task) { read_path(reader, value, at, task.spec.cwd); }},
    {"umask", read_umask},
    {"stdin", read_stdin},
    {"user", read_user},
    {"labels", read_labels},
    {"delay_ms", read_delay},
    {"run_at", read_run_at},
    {"backoff", read_backoff},
    {"on_lost", read_on_lost},
    {"on_bad_result", read_on_bad_result},
    {"array", read_array},
    {"hold", [](FieldReader& reader, const json& value, const std::string& at,
                NewTask& task) { reader.boolean(value, at, task.hold); }},
    {"timeout_ms", [](FieldReader& reader, const json& value, const std::string& at,
                      NewTask& task) { reader.duration(value, at, task.spec.timeout_ms); }},
    {"progress_timeout_ms",
     [](FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
       reader.duration(value, at, task.spec.progress_timeout_ms);
     }},
    {"grace_ms",
     [](FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
       reader.integer(value, at, 0, kMaxGraceMs, task.spec.grace_ms);
     }},
    {"max_attempts",
     [](FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
       reader.integer(value, at, 1, kMaxAttempts, task.spec.max_attempts);
     }},
    {"max_lost", [](FieldReader& reader, const json& value, const std::string& at,
                    NewTask& task) { reader.integer(value, at, 0, kMaxLost, task.spec.max_lost); }},
    {"keep_ms", [](FieldReader& reader, const json& value, const std::string& at,
                   NewTask& task) { reader.duration(value, at, task.spec.keep_ms); }},
    {"retry_on", [](FieldReader& reader, const json& value, const std::string& at,
                    NewTask& task) { read_retry_matches(reader, value, at, task.spec.retry_on); }},
    {"notify", [](FieldReader& reader, const json& value, const std::string& at,
                  NewTask& task) { read_notify(reader, value, at, task.spec.notify); }},
    {"no_retry_on",
     [](FieldReader& reader, const json& value, const std::string& at, NewTask& task) {
       read_retry_matches(reader, value, at, task.spec.no_retry_on);
     }},
    {"key", read_flow<read_key>},
    {"slots", read_flow<read_slots>},
    {"resources", read_flow<read_resources>},
    {"unique", read_flow<read_unique>},
    {"depends_on", read_flow<read_depends_on>},
    {"on_dependency_failed", read_flow<read_on_dependency_failed>},
};

}  // namespace

json bytes_to_json(std::string_view bytes) {
  if (is_valid_utf8(bytes)) return bytes;
  return {{kBase64, to_base64(bytes)}};
}

void write_bytes(JsonWriter& writer, std::string_view bytes) {
  if (is_valid_utf8(bytes)) return writer.value(bytes);
  writer.begin('{');
  writer.member(kBase64, to_base64(bytes));
  writer.end('}');
}

std::optional<std::string> bytes_from_json(const json& value) {
  if (const auto* text = value.get_ptr<const std::string*>()) return *text;
  if (!value.is_object() || value.size() != 1) return std::nullopt;
  const auto member = value.find(kBase64);
  const auto* text = member == value.end() ? nullptr : member->get_ptr<const std::string*>();
  return text == nullptr ? std::nullopt : from_base64(*text);
}

bool is_valid_queue_name(std::string_view text) {
  const auto fits = [](char c) {
    return is_letter_or_digit(c) || c == '.' || c == '_' || c == '-';
  };
  return !text.empty() && text.size() <= kMaxQueueBytes && is_letter_or_digit(text[0]) &&
         std::all_of(text.begin(), text.end(), fits);
}

bool is_said_by_handler(std::string_view field) {
  return std::find(std::begin(kSaidByHandler), std::end(kSaidByHandler), field) !=
         std::end(kSaidByHandler);
}

bool is_task_field(std::string_view name) {
  return std::any_of(std::begin(kTaskFields), std::end(kTaskFields),
                     [&](const auto& field) { return field.name == name; });
}

std::variant<NewTask, FieldErrors> new_task_from_json(const json& body,
                                                      const std::string& pointer_prefix) {
  FieldReader reader;
  NewTask task;
  if (!body.is_object()) {
    reader.complain(pointer_prefix, "must be an object");
    return reader.take_errors();
  }
  read_fields(reader, body, pointer_prefix, kTaskFields, task);
  check_command(reader, body, pointer_prefix);
  if (body.contains("delay_ms") && body.contains("run_at"))
    reader.complain(pointer_prefix, "only one of \"delay_ms\" and \"run_at\" can be given");
  check_array(reader, pointer_prefix, task);
  if (!reader.ok()) return reader.take_errors();
  return task;
}

json to_json(const NewTask& task) {
  const TaskSpec defaults;
  const TaskSpec& spec = task.spec;
  json out = json::parse(spec_to_stored(spec));  // the same fields under the same names
  out.erase("version");                          // but for what no client says
  out.erase("user_was");
  if (!spec.constraints.depends_on.empty()) {
    out["depends_on"] = dependencies_to_json(spec.constraints.depends_on);
  }
  if (!spec.name.empty()) out["name"] = spec.name;
  if (spec.queue != defaults.queue) out["queue"] = spec.queue;
  if (spec.priority != defaults.priority) out["priority"] = spec.priority;
  if (!spec.user_name.empty()) out["user"] = spec.user_name;
  if (task.delay_ms) out["delay_ms"] = *task.delay_ms;
  if (task.run_at) out["run_at"] = format_rfc3339(*task.run_at);
  if (task.hold) out["hold"] = true;
  if (task.array) {
    out["array"] = {
        {"first", task.array->first}, {"last", task.array->last}, {"step", task.array->step}};
    if (task.array->at_once > 0) out["array"]["at_once"] = task.array->at_once;
  }
  return out;
}

}  // namespace taskd
