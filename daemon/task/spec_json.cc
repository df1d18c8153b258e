#include "daemon/task/spec_json.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

#include "daemon/base/base64.h"
#include "daemon/base/json_writer.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/start_constraints_json.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr const char* kBase64 = "base64";
// In the stored spec, but not an option: the user behind user_uid.
constexpr std::string_view kUserWas = "user_was";
constexpr const char* kVersion = "version";

// Exactly one of the three kinds, and with a handler nothing that the handler sets.
void check_command(FieldReader& reader, const json& body, const std::string& at) {
  const bool has_handler = body.contains("handler");
  if (body.contains("argv") + body.contains("shell") + has_handler != 1)
    reader.complain(at, "exactly one of \"argv\", \"shell\" and \"handler\" is needed");
  if (body.contains("payload") && !has_handler)
    reader.complain(at + "/payload", "is for a task with \"handler\"");
  if (!has_handler) return;
  for (const auto& [field, value] : body.items()) {
    if (is_of_handler(field))
      reader.complain(at + pointer_step(field), "is set by the handler; leave it out");
  }
}

// Options that would mean something different for each task of an array.
void check_array(FieldReader& reader, const std::string& at, const NewTask& task) {
  if (!task.array) return;
  if (!task.spec.constraints.unique.key.empty())
    reader.complain(at + "/unique", "cannot be given for an array");
  if (task.array->at_once > 0 && !task.spec.constraints.key.name.empty())
    reader.complain(at + "/key",
                    "cannot be combined with \"at_once\", which uses a key of its own");
  const std::size_t rows = 1 + task.spec.constraints.named.size() + task.spec.labels.size();
  if (task.array->count() > kMaxArrayRows / static_cast<std::int64_t>(rows))
    reader.complain(at + "/array",
                    "is too large: each of its tasks has dependencies and labels of its own, and "
                    "all of them may be at most " +
                        std::to_string(kMaxArrayRows));
}

std::string_view closest_option(std::string_view name) {
  for (const TaskOption& option : task_options()) {
    if (is_close(name, option.field)) return option.field;
  }
  return "";
}

template <class Fits>
void write_options(JsonWriter& writer, const TaskSpec& spec, ValueForm form, Fits fits) {
  for (const TaskOption& option : task_options()) {
    if (!fits(option)) continue;
    writer.key(option.field);
    option.value->write(writer, spec, form);
  }
}

// Reads those members of `object` that are options accepted by `fits`; reports the others as
// unknown.
void read_options(FieldReader& reader, const json& object, NewTask& task,
                  bool (*fits)(const TaskOption&)) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_null()) continue;
    const TaskOption* option = find_task_option(name);
    if (option != nullptr && fits(*option)) {
      option->value->read(reader, value, name, task);
    } else if (name == kUserWas && reader.source() == Source::store && value.is_string()) {
      task.spec.user_was = value.get<std::string>();
    } else {
      reader.unknown(name, "");
    }
  }
}

void throw_if_wrong(FieldReader& reader, std::string_view whose) {
  if (reader.ok()) return;
  const FieldError error = reader.take_errors().front();
  throw std::runtime_error(std::string(whose) + " \"" + error.pointer + "\" " + error.detail);
}

json object_of(std::string_view text) {
  json document = json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object()) throw std::runtime_error("a stored spec is not a JSON object");
  const auto version = document.find(kVersion);
  if (version == document.end()) throw std::runtime_error("a stored spec has no version");
  FieldReader reader(Source::store);
  int number = 0;
  reader.integer(*version, kVersion, 1, kSpecVersion, number);
  throw_if_wrong(reader, "a stored spec's");
  if (number > kSpecVersion) {
    throw std::runtime_error("a stored spec has version " + std::to_string(number) +
                             "; this taskd reads up to version " + std::to_string(kSpecVersion));
  }
  document.erase(version);
  return document;
}

void write_stored(JsonWriter& writer, const TaskSpec& spec) {
  write_options(writer, spec, ValueForm::stored, [&](const TaskOption& option) {
    return option.kept == Kept::spec && !option.value->is_default(spec);
  });
}

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

std::variant<NewTask, FieldErrors> new_task_from_json(const json& body,
                                                      const std::string& pointer_prefix) {
  FieldReader reader;
  NewTask task;
  if (!body.is_object()) {
    reader.complain(pointer_prefix, "must be an object");
    return reader.take_errors();
  }
  for (const auto& [name, value] : body.items()) {
    const std::string at = pointer_prefix + pointer_step(name);
    if (const TaskOption* option = find_task_option(name)) {
      option->value->read(reader, value, at, task);
    } else {
      reader.unknown(at, closest_option(name));
    }
  }
  check_command(reader, body, pointer_prefix);
  if (body.contains("delay_ms") && body.contains("run_at"))
    reader.complain(pointer_prefix, "only one of \"delay_ms\" and \"run_at\" can be given");
  check_array(reader, pointer_prefix, task);
  if (!reader.ok()) return reader.take_errors();
  return task;
}

json to_json(const NewTask& task) {
  const TaskSpec& spec = task.spec;
  JsonWriter writer;
  writer.begin('{');
  write_options(writer, spec, ValueForm::stored, [&](const TaskOption& option) {
    return option.kept != Kept::start && !option.value->is_default(spec);
  });
  writer.end('}');
  json out = json::parse(writer.take());
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

void write_answered_spec(JsonWriter& writer, const TaskSpec& spec) {
  writer.member("command", command_line(spec));
  write_options(writer, spec, ValueForm::answer, [&](const TaskOption& option) {
    if (option.kept != Kept::spec && option.kept != Kept::links) return false;
    return option.answered == Answered::always ||
           (option.answered == Answered::if_given && !option.value->is_default(spec));
  });
}

TaskSpec spec_from_answer(const json& answer) {
  FieldReader reader(Source::answer);
  NewTask task;
  read_options(reader, answer, task,
               [](const TaskOption& option) { return option.kept != Kept::start; });
  throw_if_wrong(reader, "the answer's");
  return std::move(task.spec);
}

std::string spec_to_stored(const TaskSpec& spec) {
  JsonWriter writer;
  writer.begin('{');
  writer.member(kVersion, kSpecVersion);
  write_stored(writer, spec);
  if (!spec.user_was.empty()) writer.member(kUserWas, spec.user_was);
  writer.end('}');
  return writer.take();
}

void spec_from_stored(std::string_view text, TaskSpec& spec) {
  const json document = object_of(text);
  FieldReader reader(Source::store);
  NewTask task;
  task.spec = std::move(spec);
  read_options(reader, document, task,
               [](const TaskOption& option) { return option.kept == Kept::spec; });
  spec = std::move(task.spec);
  throw_if_wrong(reader, "a stored spec's");
}

std::string task_to_stored(const NewTask& task) {
  json document = to_json(task);
  document[kVersion] = kSpecVersion;
  return document.dump();
}

NewTask task_from_stored(std::string_view text) {
  const json document = object_of(text);
  FieldReader reader(Source::store);
  NewTask task;
  read_options(reader, document, task, [](const TaskOption&) { return true; });
  throw_if_wrong(reader, "a stored task's");
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
