#include "ctl/workflow_file.h"

#include <toml++/toml.h>

#include <cstring>
#include <nlohmann/json.hpp>
#include <sstream>

#include "ctl/failure.h"
#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"
#include "daemon/task/spec_merge.h"

namespace taskd::ctl {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxBytes = 1 << 20;  // what the daemon takes

json to_json(const toml::node& node) {
  if (const auto* table = node.as_table()) {
    json out = json::object();
    for (const auto& [key, value] : *table) out[std::string(key.str())] = to_json(value);
    return out;
  }
  if (const auto* array = node.as_array()) {
    json out = json::array();
    for (const toml::node& item : *array) out.push_back(to_json(item));
    return out;
  }
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* number = node.as_floating_point()) return number->get();
  if (const auto* truth = node.as_boolean()) return truth->get();
  // A date or time: as it is written.
  std::ostringstream out;
  node.visit([&](const auto& value) {
    if constexpr (toml::is_date<decltype(value)> || toml::is_time<decltype(value)> ||
                  toml::is_date_time<decltype(value)>) {
      out << value.get();
    }
  });
  return out.str();
}

json parse_toml(const std::string& text, const std::string& name) {
  try {
    return to_json(toml::parse(text, name));
  } catch (const toml::parse_error& e) {
    throw UsageError(kExitBadData, name + ":" + std::to_string(e.source().begin.line) + ": " +
                                       std::string(e.description()));
  }
}

json parse_json(const std::string& text, const std::string& name) {
  auto parsed = parse_strict_json(text);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    const auto lines = std::count(
        text.begin(),
        text.begin() + static_cast<std::ptrdiff_t>(std::min(error->offset_bytes, text.size())),
        '\n');
    throw UsageError(kExitBadData, name + ":" + std::to_string(lines + 1) + ": " + error->detail);
  }
  return std::get<json>(std::move(parsed));
}

std::string read_whole(const std::string& path) {
  try {
    auto text = read_file(path == "-" ? "/dev/stdin" : path, kMaxBytes + 1);
    if (!text) throw UsageError(kExitNoSuchTask, "there is no file " + escape_for_humans(path));
    if (text->size() > kMaxBytes)
      throw UsageError(kExitBadData, escape_for_humans(path) + " is larger than 1 MiB");
    return *std::move(text);
  } catch (const std::system_error& e) {
    throw UsageError(kExitBadData, "cannot read " + escape_for_humans(path) + ": " +
                                       std::strerror(e.code().value()));
  }
}

}  // namespace

json read_workflow_file(const std::string& path) {
  const std::string text = read_whole(path);
  const std::string name = path == "-" ? "standard input" : escape_for_humans(path);
  return path.ends_with(".toml") ? parse_toml(text, name) : parse_json(text, name);
}

void fill_in_tasks(json& workflow, const json& defaults) {
  if (!workflow.is_object()) return;
  const auto fill = [&](json& task) {
    if (task.is_object()) fill_in(task, defaults);
  };
  for (const char* member : {"tasks", "chain", "group"}) {
    const auto found = workflow.find(member);
    if (found == workflow.end() || !found->is_structured()) continue;
    for (json& task : *found) fill(task);
  }
  if (const auto then = workflow.find("then"); then != workflow.end()) fill(*then);
}

}  // namespace taskd::ctl
