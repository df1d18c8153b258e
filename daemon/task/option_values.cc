#include "daemon/task/option_values.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd {

using nlohmann::json;

const TaskSpec& default_spec() {
  static const TaskSpec spec;
  return spec;
}

namespace {

using At = const std::string&;  // the value's pointer

constexpr std::int64_t kMaxUid = 4'294'967'294;  // the next one, (uid_t)-1, means "no user"
constexpr std::string_view kNotInVariables("=\0", 2);

void write_bytes_or_null(JsonWriter& writer, std::string_view bytes) {
  bytes.empty() ? writer.null() : write_bytes(writer, bytes);
}

// --- what it runs --------------------------------------------------------------------------------

void read_argv(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array of strings");
  if (!reader.limit(!value.empty() && value.size() <= kMaxArgs, at,
                    "must have 1 to " + std::to_string(kMaxArgs) + " items"))
    return;
  task.spec.argv.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    std::string arg;
    if (reader.c_bytes(value[i], at + "/" + std::to_string(i), kMaxArgBytes, arg))
      task.spec.argv.push_back(std::move(arg));
  }
  if (!value.empty()) reader.not_empty(bytes_from_json(value[0]).value_or("?"), at + "/0");
}

void write_argv(JsonWriter& writer, const TaskSpec& spec, ValueForm) {
  writer.begin('[');
  for (const std::string& arg : spec.argv) write_bytes(writer, arg);
  writer.end(']');
}

void read_shell(FieldReader& reader, const json& value, At at, NewTask& task) {
  std::string text;
  if (!reader.c_bytes(value, at, kMaxArgBytes, text)) return;
  if (reader.not_empty(text, at)) task.spec.shell = std::move(text);
}

void read_name_of(FieldReader& reader, const json& value, At at, std::string& out) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  if (reader.limit(is_valid_queue_name(*text), at,
                   "must be 1 to 64 letters, digits, '.', '_' or '-', beginning with a letter or "
                   "digit"))
    out = *text;
}

// Any JSON is valid: submitter and handler agree on its contents.
void read_payload(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (value.is_null()) return;
  std::string text = value.dump();
  if (reader.at_most(text.size(), kMaxPayloadBytes, at, "bytes as compact JSON"))
    task.spec.payload = std::move(text);
}

// --- where it runs -------------------------------------------------------------------------------

void read_env(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object of strings");
  if (!reader.at_most(value.size(), kMaxEnv, at, "variables")) return;
  std::size_t bytes = 0;
  for (const auto& [name, item] : value.items()) {
    const std::string place = at + pointer_step(name);
    reader.limit(!name.empty() && name.find_first_of(kNotInVariables) == std::string::npos, place,
                 "the variable's name must not be empty or contain '=' or NUL");
    std::string text;
    if (!reader.c_bytes(item, place, kMaxEnvBytes, text)) continue;
    bytes += name.size() + text.size();
    task.spec.env.emplace_hint(task.spec.env.end(), name, std::move(text));
  }
  reader.at_most(bytes, kMaxEnvBytes, at, "bytes in all");
}

void write_env(JsonWriter& writer, const TaskSpec& spec, ValueForm form) {
  writer.begin('{');
  for (const auto& [name, value] : spec.env) {
    writer.text_key(name);
    form == ValueForm::answer ? writer.value("***") : write_bytes(writer, value);
  }
  writer.end('}');
}

void read_path(FieldReader& reader, const json& value, At at, std::string& out) {
  std::string text;
  if (!reader.c_bytes(value, at, kMaxCwdBytes, text)) return;
  if (reader.limit(text.starts_with('/'), at, "must be an absolute path")) out = std::move(text);
}

constexpr JsonField<TaskSpec> kStdinFields[] = {
    {"file", [](FieldReader& reader, const json& value, At at,
                TaskSpec& spec) { read_path(reader, value, at, spec.stdin_file); }},
    {"text",
     [](FieldReader& reader, const json& value, At at, TaskSpec& spec) {
       const auto* text = reader.c_string(value, at, kMaxStdinBytes);
       if (text != nullptr) spec.stdin_text = *text;
     }},
};

void read_stdin(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object");
  read_fields(reader, value, at, kStdinFields, task.spec);
  reader.limit(value.contains("file") != value.contains("text"), at,
               "exactly one of \"file\" and \"text\" is needed");
}

// A text may be long or secret, so only its presence is shown.
void write_stdin(JsonWriter& writer, const TaskSpec& spec, ValueForm form) {
  if (spec.stdin_file.empty() && spec.stdin_text.empty()) return writer.null();
  writer.begin('{');
  if (spec.stdin_file.empty()) {
    writer.member("text", form == ValueForm::answer ? std::string_view("***") : spec.stdin_text);
  } else {
    writer.key("file");
    write_bytes(writer, spec.stdin_file);
  }
  writer.end('}');
}

// A number would not show that its digits are octal.
void read_umask(FieldReader& reader, const json& value, At at, NewTask& task) {
  reader.word(value, at, parse_umask,
              "a string of octal digits from \"0000\" to \"0777\", such as \"0027\"",
              task.spec.process.umask);
}

void write_umask(JsonWriter& writer, const TaskSpec& spec, ValueForm form) {
  const bool is_handlers = form == ValueForm::answer && !spec.handler.empty();
  is_handlers ? writer.null() : writer.value(format_umask(spec.process.umask));
}

void read_user(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (value.is_number_integer()) {
    std::int64_t uid = -1;
    reader.integer(value, at, 0, kMaxUid, uid);
    if (uid > kMaxUid) return reader.complain(at, "is not a valid uid");
    if (uid >= 0) task.spec.user_uid = static_cast<std::uint32_t>(uid);
    return;
  }
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) return reader.wrong_type(value, at, "a user name or an integer");
  if (!reader.not_empty(*text, at)) return;
  if (reader.plain(*text, at)) task.spec.user_name = *text;
}

// --- how it is listed and queued -----------------------------------------------------------------

void read_priority(FieldReader& reader, const json& value, At at, NewTask& task) {
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

void read_labels(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object of strings");
  if (!reader.at_most(value.size(), kMaxLabels, at, "labels")) return;
  for (const auto& [name, item] : value.items()) {
    const std::string place = at + pointer_step(name);
    // A filter is written key=value.
    reader.limit(!name.empty() && name.find('=') == std::string::npos, place,
                 "the label's key must not be empty or contain '='");
    const auto* text = reader.string(item, place);
    if (reader.plain(name, place) && text != nullptr && reader.plain(*text, place))
      task.spec.labels.emplace_hint(task.spec.labels.end(), name, *text);
  }
}

// --- when it starts ------------------------------------------------------------------------------

void read_run_at(FieldReader& reader, const json& value, At at, NewTask& task) {
  const auto* text = reader.string(value, at);
  if (text == nullptr) return;
  task.run_at = parse_rfc3339(*text);
  if (!task.run_at)
    reader.complain(at, "must be an RFC 3339 time stamp such as \"2026-03-01T12:00:00Z\"");
}

constexpr JsonField<ArrayRange> kArrayFields[] = {
    {"first", [](FieldReader& reader, const json& value, At at,
                 ArrayRange& range) { reader.integer(value, at, 0, kMaxArrayIndex, range.first); }},
    {"last", [](FieldReader& reader, const json& value, At at,
                ArrayRange& range) { reader.integer(value, at, 0, kMaxArrayIndex, range.last); }},
    {"step", [](FieldReader& reader, const json& value, At at,
                ArrayRange& range) { reader.integer(value, at, 1, kMaxArrayIndex, range.step); }},
    {"at_once",
     [](FieldReader& reader, const json& value, At at, ArrayRange& range) {
       reader.integer(value, at, 1, kMaxKeyLimit, range.at_once);
     }},
};

void read_array(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (value.is_null()) return;
  if (!value.is_object()) return reader.wrong_type(value, at, "an object or null");
  ArrayRange& range = task.array.emplace();
  read_fields(reader, value, at, kArrayFields, range);
  if (!value.contains("first") || !value.contains("last"))
    return reader.complain(at, "both \"first\" and \"last\" are needed");
  if (range.last < range.first) return reader.complain(at + "/last", "must not be below \"first\"");
  reader.limit(range.count() <= kMaxArrayTasks, at,
               "must have at most " + std::to_string(kMaxArrayTasks) + " tasks");
}

// --- how often it is tried, and who is notified --------------------------------------------------

constexpr JsonField<Backoff> kBackoffFields[] = {
    {"kind",
     [](FieldReader& reader, const json& value, At at, Backoff& backoff) {
       reader.word(value, at, parse_backoff_kind, "\"exponential\", \"linear\" or \"constant\"",
                   backoff.kind);
     }},
    {"initial_ms", [](FieldReader& reader, const json& value, At at,
                      Backoff& backoff) { reader.duration(value, at, backoff.initial_ms); }},
    {"max_ms", [](FieldReader& reader, const json& value, At at,
                  Backoff& backoff) { reader.duration(value, at, backoff.max_ms); }},
    {"jitter",
     [](FieldReader& reader, const json& value, At at, Backoff& backoff) {
       if (!value.is_number()) return reader.wrong_type(value, at, "a number from 0 to 1");
       const auto jitter = value.get<double>();
       if (!(jitter >= 0 && jitter <= 1)) return reader.complain(at, "must be from 0 to 1");
       backoff.jitter = jitter;
     }},
};

void read_backoff(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (!value.is_object()) return reader.wrong_type(value, at, "an object");
  read_fields(reader, value, at, kBackoffFields, task.spec.backoff);
}

void write_backoff(JsonWriter& writer, const TaskSpec& spec, ValueForm form) {
  const Backoff& backoff = spec.backoff;
  const Backoff usual;
  const bool all = form == ValueForm::answer;
  writer.begin('{');
  if (all || backoff.kind != usual.kind) writer.member("kind", to_string(backoff.kind));
  if (all || backoff.initial_ms != usual.initial_ms)
    writer.member("initial_ms", backoff.initial_ms);
  if (all || backoff.max_ms != usual.max_ms) writer.member("max_ms", backoff.max_ms);
  if (all || backoff.jitter != usual.jitter) writer.member("jitter", backoff.jitter);
  writer.end('}');
}

void read_match(FieldReader& reader, const json& value, At at, std::vector<RetryMatch>& out) {
  if (value.is_number_integer()) {
    int code = 0;
    reader.integer(value, at, 1, 255, code);
    if (code != 0) out.push_back({.exit_code = code, .reason = {}});
    return;
  }
  // Only failures of the command itself: other reasons are never retried, or use no try.
  const auto* text = value.get_ptr<const std::string*>();
  const auto reason = text != nullptr ? parse_reason(*text) : std::nullopt;
  if (!reason || (reader.has_limits() && *reason > Reason::spawn)) {
    return reader.wrong_type(
        value, at,
        "an exit code from 1 to 255, or \"exit\", \"signal\", \"timeout\", \"oom\" or \"spawn\"");
  }
  out.push_back({.exit_code = {}, .reason = reason});
}

template <auto member>
void read_matches(FieldReader& reader, const json& value, At at, NewTask& task) {
  if (!value.is_array()) return reader.wrong_type(value, at, "an array");
  if (!reader.at_most(value.size(), kMaxRetryMatches, at, "items")) return;
  for (std::size_t i = 0; i < value.size(); ++i)
    read_match(reader, value[i], at + "/" + std::to_string(i), member_of<member>(task.spec));
}

template <auto member>
void write_matches(JsonWriter& writer, const TaskSpec& spec, ValueForm) {
  writer.begin('[');
  for (const RetryMatch& match : member_of<member>(spec)) {
    if (match.exit_code) {
      writer.value(*match.exit_code);
    } else if (match.reason) {
      writer.value(to_string(*match.reason));
    }
  }
  writer.end(']');
}

template <auto member>
constexpr OptionValue kMatches = {read_matches<member>, is_default<member>, write_matches<member>};

}  // namespace

namespace option_value {

constinit const OptionValue argv = {read_argv, is_default<&TaskSpec::argv>, write_argv};
constinit const OptionValue shell = {
    read_shell, is_default<&TaskSpec::shell>,
    [](JsonWriter& writer, const TaskSpec& spec, ValueForm) { write_bytes(writer, spec.shell); }};
constinit const OptionValue handler = {[](FieldReader& reader, const json& value, At at,
                                          NewTask& task) {
                                         read_name_of(reader, value, at, task.spec.handler);
                                       },
                                       is_default<&TaskSpec::handler>,
                                       write_plain<&TaskSpec::handler>};
constinit const OptionValue payload = {
    read_payload, is_default<&TaskSpec::payload>,
    [](JsonWriter& writer, const TaskSpec& spec, ValueForm) { writer.raw(spec.payload); }};
constinit const OptionValue name = {
    [](FieldReader& reader, const json& value, At at, NewTask& task) {
      const auto* text = reader.string(value, at);
      if (text != nullptr && reader.plain(*text, at)) task.spec.name = *text;
    },
    is_default<&TaskSpec::name>, write_plain<&TaskSpec::name>};
constinit const OptionValue queue = {
    [](FieldReader& reader, const json& value, At at, NewTask& task) {
      read_name_of(reader, value, at, task.spec.queue);
    },
    is_default<&TaskSpec::queue>, write_plain<&TaskSpec::queue>};
constinit const OptionValue priority = {read_priority, is_default<&TaskSpec::priority>,
                                        write_plain<&TaskSpec::priority>};
constinit const OptionValue env = {read_env, is_default<&TaskSpec::env>, write_env};
constinit const OptionValue cwd = {
    [](FieldReader& reader, const json& value, At at, NewTask& task) {
      read_path(reader, value, at, task.spec.cwd);
    },
    is_default<&TaskSpec::cwd>,
    [](JsonWriter& writer, const TaskSpec& spec, ValueForm) { write_bytes_or_null(writer, spec.cwd); }};
constinit const OptionValue umask = {read_umask, is_default<&ProcessAttributes::umask>,
                                     write_umask};
constinit const OptionValue stdin_source = {
    read_stdin,
    [](const TaskSpec& spec) { return spec.stdin_file.empty() && spec.stdin_text.empty(); },
    write_stdin};
constinit const OptionValue user = {read_user, is_default<&TaskSpec::user_uid>,
                                    write_plain<&TaskSpec::user_uid>};
constinit const OptionValue labels = {read_labels, is_default<&TaskSpec::labels>,
                                      write_plain<&TaskSpec::labels>};
constinit const OptionValue delay = {
    [](FieldReader& reader, const json& value, At at, NewTask& task) {
      reader.duration(value, at, task.delay_ms.emplace());
    },
    nullptr, nullptr};
constinit const OptionValue run_at = {read_run_at, nullptr, nullptr};
constinit const OptionValue hold = {
    [](FieldReader& reader, const json& value, At at, NewTask& task) {
      reader.boolean(value, at, task.hold);
    },
    nullptr, nullptr};
constinit const OptionValue backoff = {read_backoff, is_default<&TaskSpec::backoff>,
                                       write_backoff};
constinit const OptionValue retry_on = kMatches<&TaskSpec::retry_on>;
constinit const OptionValue no_retry_on = kMatches<&TaskSpec::no_retry_on>;
constinit const OptionValue notify = {
    [](FieldReader& reader, const json& value, At at, NewTask& task) {
      read_notify(reader, value, at, task.spec.notify);
    },
    is_default<&TaskSpec::notify>,
    [](JsonWriter& writer, const TaskSpec& spec, ValueForm) {
      writer.value(format_notify(spec.notify));
    }};
constinit const OptionValue array = {read_array, nullptr, nullptr};

}  // namespace option_value

}  // namespace taskd
