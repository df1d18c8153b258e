#include "ctl/options/task_document.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <variant>
#include <vector>

#include "ctl/base/failure.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/task_option.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

// What people look for comes first; the rest follows by name.
constexpr std::string_view kFirst[] = {"argv", "shell", "handler",  "payload",
                                       "name", "queue", "priority", "run_at",
                                       "cwd",  "umask", "env",      "labels"};

constexpr std::string_view kExplanation =
    "// Edit and save: only your changes are sent. Removing a line resets its field to the\n"
    "// default. Values of env are hidden: \"***\" keeps the value.\n";

// The comment after a field's value, or "".
std::string comment_of(const std::string& field, const json& value) {
  if (field == "run_at") return "earliest start; null: as soon as possible";
  if (field == "timeout_ms" && value == 0) return "none";
  if (!field.ends_with("_ms") || !value.is_number_integer()) return "";
  return format_duration_ms(value.get<std::int64_t>());
}

std::vector<std::string> fields_in_order(const json& editable) {
  std::vector<std::string> fields;
  for (const std::string_view field : kFirst) {
    if (editable.contains(field)) fields.emplace_back(field);
  }
  for (const auto& [field, value] : editable.items()) {
    if (std::find(fields.begin(), fields.end(), field) == fields.end()) fields.push_back(field);
  }
  return fields;
}

// Writes an object over several lines, anything else on one.
std::string write_value(const json& value) {
  if (!value.is_object() || value.empty()) return value.dump();
  std::string out = value.dump(2);
  for (std::size_t at = 0; (at = out.find('\n', at)) != std::string::npos; at += 3)
    out.insert(at + 1, "  ");
  return out;
}

// Replaces comments with blanks, so that positions stay the same.
std::string without_comments(std::string_view text) {
  std::string out(text);
  bool in_string = false;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (in_string) {
      if (out[i] == '\\') {
        ++i;
      } else if (out[i] == '"') {
        in_string = false;
      }
    } else if (out[i] == '"') {
      in_string = true;
    } else if (out.compare(i, 2, "//") == 0) {
      while (i < out.size() && out[i] != '\n') out[i++] = ' ';
    }
  }
  return out;
}

}  // namespace

json editable_part(const json& task) {
  json part = json::object();
  for (const auto& [field, value] : task.items()) {
    const bool nothing =
        value.is_null() || ((field == "argv" || field == "shell") && value.empty());
    if (find_task_option(field) != nullptr && !nothing) part[field] = value;
  }
  const auto state = task.find("state");
  const bool waits = state != task.end() && (*state == "scheduled" || *state == "queued" ||
                                             *state == "held" || *state == "blocked");
  if (waits) part["run_at"] = task.value("due_at", json());
  return part;
}

std::string write_document(const json& editable, std::string_view title) {
  std::string out = "// " + std::string(title) + "\n";
  out.append(kExplanation).append("{\n");
  const std::vector<std::string> fields = fields_in_order(editable);
  for (const std::string& field : fields) {
    const json& value = editable.at(field);
    out += "  " + json(field).dump() + ": " + write_value(value);
    if (field != fields.back()) out += ",";
    if (const std::string comment = comment_of(field, value); !comment.empty())
      out += "  // " + comment;
    out += "\n";
  }
  return out + "}\n";
}

json read_document(std::string_view text) {
  const std::string plain = without_comments(text);
  auto parsed = parse_strict_json(plain);
  if (auto* document = std::get_if<json>(&parsed)) return std::move(*document);
  const auto& error = std::get<JsonError>(parsed);
  const auto end =
      plain.begin() + static_cast<std::ptrdiff_t>(std::min(error.offset_bytes, plain.size()));
  throw Failure(kExitBadData, "line " + std::to_string(1 + std::count(plain.begin(), end, '\n')) +
                                  ": " + escape_for_table(error.detail));
}

json patch_between(const json& before, const json& after) {
  json patch = json::object();
  for (const auto& [field, value] : before.items()) {
    if (!after.contains(field)) patch[field] = nullptr;
  }
  for (const auto& [field, value] : after.items()) {
    const auto old = before.find(field);
    if (old != before.end() && *old == value) continue;
    // A payload is replaced as a whole.
    const bool inside =
        old != before.end() && old->is_object() && value.is_object() && field != "payload";
    patch[field] = inside ? patch_between(*old, value) : value;
  }
  return patch;
}

}  // namespace taskd::ctl
