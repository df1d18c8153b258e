#include <nlohmann/json.hpp>

#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/page.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"
#include "daemon/task/task_defaults.h"

namespace taskd {
namespace {

using nlohmann::json;

const Handler* find_handler(const ApiContext& context, const std::string& name) {
  return context.handlers == nullptr ? nullptr : context.handlers->find(name);
}

[[noreturn]] void refuse_command() {
  throw ProblemError(403, "handlers_only",
                     "this daemon takes no commands, only the handlers that its configuration "
                     "declares");
}

// The name in a body, if it is one at all; what is none is for the reader of the body to name.
const std::string* handler_in(const json& task) {
  const auto name = task.find("handler");
  return name == task.end() ? nullptr : name->get_ptr<const std::string*>();
}

// What the handler runs, but for its arguments: these may be nobody else's business.
std::string program_of(const Handler& handler) {
  return handler.argv.empty() ? "/bin/sh" : handler.argv.front();
}

}  // namespace

void unknown_handler(const std::string& name, const std::string& pointer) {
  throw ProblemError(
      422, "unknown_handler",
      "there is no handler " + in_quotes(name) + "; the daemon's configuration declares them",
      {{pointer + "/handler", "no such handler"}});
}

void complete_task(const ApiContext& context, const std::string& pointer, json& task) {
  if (!task.is_object()) return;
  if (const std::string* name = handler_in(task)) {
    const Handler* handler = find_handler(context, *name);
    if (handler == nullptr) unknown_handler(*name, pointer);
    take_defaults(task, json::parse(handler->defaults));
  }
  const auto queue = task.find("queue");
  const bool has_queue = queue != task.end() && queue->is_string();
  const std::string defaults =
      context.store.queue_defaults(has_queue ? queue->get<std::string>() : TaskSpec{}.queue);
  if (!defaults.empty()) take_defaults(task, json::parse(defaults));
}

void check_command(const ApiContext& context, const TaskSpec& spec) {
  if (context.handlers != nullptr && context.handlers->only && spec.handler.empty())
    refuse_command();
}

void check_commands(const ApiContext& context, const Actor& actor, const std::vector<TaskId>& ids) {
  if (context.handlers == nullptr || !context.handlers->only) return;
  std::size_t read_bytes = 0;
  context.store.visit(actor, ids, [&](const Task& task) {
    check_command(context, task.spec);
    read_bytes += text_bytes(task.spec);
    return read_bytes < kMaxReadBytes;  // the others tell at their start, as those of a filter do
  });
}

void check_command_patch(const ApiContext& context, const std::string& pointer, const json& patch) {
  if (const std::string* name = handler_in(patch)) {
    if (find_handler(context, *name) == nullptr) unknown_handler(*name, pointer);
  }
  if (context.handlers == nullptr || !context.handlers->only) return;
  for (const auto& [field, value] : patch.items()) {
    if (field == "argv" || field == "shell" || is_said_by_handler(field)) refuse_command();
  }
}

Reply list_handlers(const ApiContext& context, const Call& call) {
  call.query.finish();
  json list = json::array();
  if (context.handlers != nullptr) {
    for (const auto& [name, handler] : context.handlers->declared) {
      list.push_back({{"name", name},
                      {"program", program_of(handler)},
                      {"user", handler.user_uid ? json(*handler.user_uid) : json(nullptr)},
                      {"defaults", json::parse(handler.defaults)}});
    }
  }
  return json_reply(200, {{"handlers", std::move(list)}, {"next_cursor", nullptr}});
}

}  // namespace taskd
