#include "daemon/api/request/clone_task.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/batch_size.h"
#include "daemon/task/spec_merge.h"

namespace taskd {
namespace {

using nlohmann::json;

// The task's spec without its links to others: dependencies and its unique key. It shares the
// other's key, whose current limits stay.
TaskSpec unbound_spec(const Task& task, const Actor& actor) {
  TaskSpec spec = task.spec;
  spec.constraints.depends_on.clear();
  spec.constraints.on_dependency_failed = StartConstraints().on_dependency_failed;
  spec.constraints.unique = {};
  spec.constraints.key.limit = std::nullopt;
  spec.constraints.key.rate = std::nullopt;
  // A task that ran as its submitter still does when another user submits it again.
  if (!spec.user_uid && task.uid != actor.uid && spec.handler.empty()) spec.user_uid = task.uid;
  return spec;
}

// Another user's task runs only as the user it ran as.
FieldErrors check_other(const Task& task, const Actor& actor, const json& item,
                        const std::string& pointer) {
  if (task.uid == actor.uid) return {};
  const std::uint32_t uid = run_as(task.uid, task.spec, nullptr);
  if (!may_run_as(task.uid, uid, nullptr)) {
    return {{pointer + "/like", "it runs as uid " + std::to_string(uid) +
                                    ", which its owner, "
                                    "uid " +
                                    std::to_string(task.uid) + ", may not"}};
  }
  if (!item.contains("user")) return {};
  return {{pointer + "/user",
           "cannot be combined with \"like\" of another user's task, whose user it keeps"}};
}

// The configuration decides whom a handler runs as.
bool runs_as_before(const ApiContext& context, const Task& task, const Actor& actor) {
  if (task.spec.handler.empty() || task.uid == actor.uid || context.handlers == nullptr)
    return true;
  const Handler* handler = context.handlers->find(task.spec.handler);
  return handler == nullptr || handler->user_uid.has_value();
}

}  // namespace

std::variant<NewTask, FieldErrors> clone_task(const ApiContext& context, const Actor& actor,
                                              const json& item, const std::string& pointer,
                                              std::size_t& read_bytes) {
  const json& like = item.at("like");
  const bool is_id =
      like.is_number_integer() && like >= 1 && like <= std::numeric_limits<TaskId>::max();
  if (!is_id) return FieldErrors{{pointer + "/like", "must be a task's id, a positive integer"}};
  const auto task = context.store.get(actor, like.get<TaskId>());
  if (!task) {
    const std::string detail = "there is no task " + like.dump();
    throw ProblemError(422, "unknown_task", detail, {{pointer + "/like", detail}});
  }
  if (!task->unreadable.empty()) {
    return FieldErrors{{pointer + "/like", "the stored spec of task " + like.dump() +
                                               " cannot be read (" + task->unreadable + ")"}};
  }
  read_bytes = text_bytes(task->spec);
  if (!runs_as_before(context, *task, actor)) {
    return FieldErrors{{pointer + "/like", "its handler runs as the submitter, who was uid " +
                                               std::to_string(task->uid) +
                                               "; submit it as that user"}};
  }
  FieldErrors errors = check_other(*task, actor, item, pointer);
  if (!errors.empty()) return errors;
  json patch = item;
  patch.erase("like");
  return patch_task(unbound_spec(*task, actor), patch, pointer);
}

}  // namespace taskd
