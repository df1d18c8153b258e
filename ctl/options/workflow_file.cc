#include "ctl/options/workflow_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <sstream>

#include "ctl/base/failure.h"
#include "ctl/net/problem_text.h"
#include "ctl/options/text_input.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/spec_merge.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 4 << 20;  // the daemon's limit

using LineNumbers = std::map<std::string, unsigned>;

// Records the line of every value, by its pointer.
json to_json(const toml::node& node, const std::string& pointer, LineNumbers& lines) {
  lines[pointer] = node.source().begin.line;
  if (const auto* table = node.as_table()) {
    json out = json::object();
    for (const auto& [key, value] : *table) {
      const std::string name(key.str());
      out[name] = to_json(value, pointer + pointer_step(name), lines);
    }
    return out;
  }
  if (const auto* array = node.as_array()) {
    json out = json::array();
    for (const toml::node& item : *array)
      out.push_back(to_json(item, pointer + "/" + std::to_string(out.size()), lines));
    return out;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  // Dates and times stay as written.
  std::ostringstream out;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_date<decltype(value)> || toml::is_time<decltype(value)> ||
                  toml::is_date_time<decltype(value)>) {
      out << value.get();
    }
  });
  return out.str();
}

[[noreturn]] void refuse_at(const std::string& name, std::size_t line, std::size_t column,
                            const std::string& what) {
  throw UsageError(kExitBadData,
                   name + ":" + std::to_string(line) + ":" + std::to_string(column) + ": " + what);
}

json parse_toml(const std::string& text, const std::string& name, LineNumbers& lines) {
  try {
    return to_json(toml::parse(text, name), "#", lines);
  } catch (const toml::parse_error& e) {
    refuse_at(name, e.source().begin.line, e.source().begin.column,
              escape_for_humans(e.description()));
  }
}

json parse_json(const std::string& text, const std::string& name) {
  auto parsed = parse_strict_json(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    const std::string_view before = std::string_view(text).substr(0, error->offset_bytes);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t column = before.size() - (before.rfind('\n') + 1) + 1;  // npos + 1 is 0
    refuse_at(name, static_cast<std::size_t>(line), column, error->detail);
  }
  return std::get<json>(std::move(parsed));
}

// After sorting the steps, the daemon knows those of a chain or group only by their order:
// "#/tasks/1/queue" is "#/chain/0/queue".
std::string pointer_in(const json& document, const std::string& pointer) {
  constexpr std::string_view kTasks = "#/tasks/";
  if (document.contains("tasks") || !pointer.starts_with(kTasks)) return pointer;
  const std::size_t end = std::min(pointer.find('/', kTasks.size()), pointer.size());
  const std::string step = pointer.substr(kTasks.size(), end - kTasks.size());
  const auto number = parse_int(step);
  const std::string place = document.contains("chain") ? "#/chain/" : "#/group/";
  return (number ? place + std::to_string(*number - 1) : "#/" + step) + pointer.substr(end);
}

// "release.toml:7"; for something missing in the file, the place where it should be.
std::string place_of(const WorkflowFile& file, std::string pointer) {
  while (!pointer.empty()) {
    const auto line = file.lines.find(pointer);
    if (line != file.lines.end() && line->second > 0)
      return file.name + ":" + std::to_string(line->second);
    pointer.resize(std::min(pointer.rfind('/'), pointer.size() - 1));
  }
  return file.name;
}

}  // namespace

WorkflowFile read_workflow_file(const std::string& path) {
  WorkflowFile file{path == "-" ? "standard input" : escape_for_humans(path), {}, {}};
  const std::string text = read_text(path, kMaxBytes, file.name);
  file.document = path.ends_with(".toml") ? parse_toml(text, file.name, file.lines)
                                          : parse_json(text, file.name);
  return file;
}

std::string describe_problem_of(const WorkflowFile& file, const Problem& problem) {
  const auto describe = [&](const FieldError& error) {
    const std::string pointer = pointer_in(file.document, error.pointer);
    const std::string path = escape_for_humans(path_of_pointer(pointer));
    return place_of(file, pointer) + ": " + (path.empty() ? "" : path + ": ") +
           escape_for_table(error.detail);
  };
  const bool repeats =
      problem.detail.starts_with('#') || problem.detail == problem.errors.front().detail;
  if (repeats && problem.errors.size() == 1) return describe(problem.errors.front());
  std::string out = repeats ? "the workflow cannot be accepted" : escape_for_table(problem.detail);
  for (const FieldError& error : problem.errors) out.append("\n  ").append(describe(error));
  return out;
}

void add_defaults(json& workflow, const json& defaults) {
  if (!workflow.is_object()) return;
  json& own = workflow["defaults"];
  if (own.is_null()) own = json::object();
  if (own.is_object()) fill_in(own, defaults);
}

}  // namespace taskd::ctl
