#include <nlohmann/json.hpp>

#include "daemon/base/text.h"
#include "daemon/hooks/hook_settings.h"

namespace taskd {
namespace {

using nlohmann::json;

// A command line may be a megabyte long, but an environment may not.
constexpr std::size_t kMaxValueBytes = 4096;

std::string text_of(const json& task, const char* field) {
  const auto value = task.find(field);
  if (value == task.end() || value->is_null()) return "";
  std::string text = value->is_string() ? value->get<std::string>() : value->dump();
  if (text.size() > kMaxValueBytes) text.resize(kMaxValueBytes);
  while (!is_valid_utf8(text)) text.pop_back();  // cut within a character
  return text;
}

}  // namespace

std::string document_of(const HookMessage& message) {
  const json head = {{"version", 1},
                     {"delivery", message.delivery},
                     {"hook", message.hook},
                     {"event", message.event},
                     {"at", format_rfc3339(message.at)}};
  std::string document = head.dump();
  document.pop_back();  // the task is JSON already
  return document + ",\"task\":" + message.task + "}\n";
}

std::vector<std::string> environment_of(const HookMessage& message, const std::string& socket) {
  std::vector<std::string> environment = {
      "TASKD_HOOK=" + message.hook, "TASKD_EVENT=" + message.event,
      "TASKD_DELIVERY=" + message.delivery, "TASKD_AT=" + format_rfc3339(message.at),
      "TASKD_SOCKET=" + socket};
  static constexpr std::pair<const char*, const char*> kFields[] = {
      {"TASKD_TASK_ID", "id"},          {"TASKD_TASK_NAME", "name"},  {"TASKD_QUEUE", "queue"},
      {"TASKD_COMMAND", "command"},     {"TASKD_UID", "uid"},         {"TASKD_STATE", "state"},
      {"TASKD_REASON", "reason"},       {"TASKD_ATTEMPT", "attempt"}, {"TASKD_OUTCOME", "outcome"},
      {"TASKD_EXIT_CODE", "exit_code"}, {"TASKD_SIGNAL", "signal"}};
  const json task = json::parse(message.task, nullptr, /*allow_exceptions=*/false);
  for (const auto& [variable, field] : kFields) {
    const std::string value = task.is_object() ? text_of(task, field) : "";
    if (value.find('\0') == value.npos) environment.push_back(std::string(variable) + "=" + value);
  }
  return environment;
}

}  // namespace taskd
