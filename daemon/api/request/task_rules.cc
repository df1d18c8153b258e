#include "daemon/api/request/task_rules.h"

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/users.h"
#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/page.h"
#include "daemon/api/request/refusals.h"
#include "daemon/base/text.h"
#include "daemon/engine/notifier.h"
#include "daemon/process/user.h"
#include "daemon/task/queue_handler_defaults.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

[[noreturn]] void unknown_user(const std::string& user, const std::string& pointer) {
  throw ProblemError(422, "unknown_user", "there is no user " + user,
                     {{pointer + "/user", "no such user"}});
}

[[noreturn]] void refuse_user(const std::string& pointer, const std::string& detail) {
  throw ProblemError(403, "not_allowed", detail, {{pointer + "/user", detail}});
}

void resolve_name(const std::string& pointer, TaskSpec& spec) {
  if (spec.user_name.empty()) return;
  spec.user_uid = find_uid(spec.user_name);
  if (!spec.user_uid) unknown_user(in_quotes(spec.user_name), pointer);
  spec.user_name.clear();
  spec.user_was.clear();
}

// Records the name of the uid's user.
void name_user(const std::string& pointer, TaskSpec& spec) {
  if (!spec.user_uid || !spec.user_was.empty()) return;
  const auto entry = find_entry(*spec.user_uid);
  if (!entry) unknown_user("with uid " + std::to_string(*spec.user_uid), pointer);
  spec.user_was = entry->name;
}

const Handler* find_handler(const ApiContext& context, const std::string& name) {
  return context.handlers == nullptr ? nullptr : context.handlers->find(name);
}

[[noreturn]] void refuse_command() {
  throw ProblemError(403, "handlers_only",
                     "this daemon takes no commands, only the handlers that its configuration "
                     "declares");
}

// The name in a body, if it is a string; the body's parser reports anything else.
const std::string* handler_in(const json& task) {
  const auto name = task.find("handler");
  return name == task.end() ? nullptr : name->get_ptr<const std::string*>();
}

}  // namespace

void check_user(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec) {
  const Handler* handler = spec.handler.empty() || context.handlers == nullptr
                               ? nullptr
                               : context.handlers->find(spec.handler);
  const bool by_handler = handler != nullptr && handler->user_uid;
  // The configuration decides whom such a handler runs as.
  if (!by_handler) resolve_name(pointer, spec);
  const std::uint32_t uid = run_as(owner, spec, handler);
  if (!may_run_as(owner, uid, handler)) {
    refuse_user(pointer,
                owner == actor.uid
                    ? "you may not run tasks as uid " + std::to_string(uid)
                    : "it belongs to " + name_or_uid(owner) +
                          " and runs only as that user; submit one of your own to run it as "
                          "uid " +
                          std::to_string(uid));
  }
  if (::geteuid() != 0 && uid != ::geteuid()) {
    refuse_user(pointer, "this daemon is not run by root: it runs tasks only as uid " +
                             std::to_string(::geteuid()) + ", not as uid " + std::to_string(uid));
  }
  if (!by_handler) name_user(pointer, spec);
}

void apply_defaults(const ApiContext& context, const std::string& pointer, json& task) {
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
    return read_bytes < kMaxReadBytes;  // later tasks fail at their start, as those of a filter do
  });
}

void check_command_patch(const ApiContext& context, const std::string& pointer, const json& patch) {
  if (const std::string* name = handler_in(patch)) {
    if (find_handler(context, *name) == nullptr) unknown_handler(*name, pointer);
  }
  if (context.handlers == nullptr || !context.handlers->only) return;
  for (const auto& [field, value] : patch.items()) {
    if (field == "argv" || field == "shell" || is_of_handler(field)) refuse_command();
  }
}

void check_needs(const Machine& machine, const std::string& pointer, const TaskSpec& spec) {
  const auto unmet = find_unmet(machine, demand_of(spec.constraints));
  if (!unmet) return;
  std::string at = pointer + "/slots";
  std::string detail = "this daemon has only " + std::to_string(machine.slots) + " workers";
  if (!unmet->empty()) {
    at = pointer + "/resources/" + *unmet;
    const auto resource = machine.resources.find(*unmet);
    detail = resource == machine.resources.end()
                 ? "no such resource is declared in this daemon's configuration"
                 : "this daemon has only " + std::to_string(resource->second.amount) + " of it";
  }
  throw ProblemError(422, "does_not_fit", at + ": " + detail, {{at, detail}});
}

void check_notify(const ApiContext& context, const std::string& pointer,
                  const std::vector<Notify>& list, FieldErrors& errors) {
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (context.notifier != nullptr && context.notifier->find(list[i].hook) != nullptr) continue;
    errors.push_back({pointer + "/notify/" + std::to_string(i),
                      "there is no hook " + in_quotes(list[i].hook) +
                          "; the daemon's configuration declares them"});
  }
}

void check_task(const ApiContext& context, const Actor& actor, std::uint32_t owner,
                const std::string& pointer, TaskSpec& spec) {
  check_command(context, spec);
  const bool known =
      spec.handler.empty() || (context.handlers != nullptr && context.handlers->find(spec.handler));
  if (!known) unknown_handler(spec.handler, pointer);
  check_user(context, actor, owner, pointer, spec);
  check_needs(context.machine, pointer, spec);
}

}  // namespace taskd
