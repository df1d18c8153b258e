#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/task_reply.h"
#include "daemon/api/request/task_rules.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/digest.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/spec_merge.h"
#include "daemon/task/task_option.h"

namespace taskd {
namespace {

using nlohmann::json;

[[noreturn]] void edited_meanwhile(TaskId id) {
  throw ProblemError(412, "edited_meanwhile",
                     "task " + std::to_string(id) + " was changed by somebody else");
}

void check_if_match(const Call& call, const Task& task) {
  if (!call.if_match || *call.if_match == "*") return;
  if (*call.if_match != etag_of(task)) edited_meanwhile(task.id);
}

void refuse_unreadable(const Task& task) {
  if (task.unreadable.empty()) return;
  throw ProblemError(409, "wrong_state",
                     "the stored spec of task " + std::to_string(task.id) + " cannot be read (" +
                         task.unreadable + "), so it cannot be changed");
}

// The edit that the patch describes. `pointer` is the patch's place in the body.
EditRequest read_edit(const ApiContext& context, const Call& call, const Task& task,
                      const json& patch, const std::string& pointer) {
  EditRequest request;
  request.actor = call.actor;
  request.task = task.id;
  request.was = task.spec;
  request.was_due_at = task.due_at;
  if (patch.is_object()) check_command_patch(context, pointer, patch);
  auto patched = patch_task(task.spec, patch, pointer);
  auto* errors = std::get_if<FieldErrors>(&patched);
  for (const TaskOption& option : task_options()) {
    if (errors != nullptr || option.why_not_edited.empty() || !patch.contains(option.field))
      continue;
    patched = FieldErrors{
        {pointer + "/" + std::string(option.field), std::string(option.why_not_edited)}};
    errors = std::get_if<FieldErrors>(&patched);
  }
  if (errors != nullptr) invalid_fields("invalid_task", std::move(*errors));
  request.to = std::get<NewTask>(std::move(patched));
  // Only if the patch contains them: hooks may have disappeared from the configuration since the
  // submit.
  FieldErrors hooks;
  if (patch.contains("notify")) check_notify(context, pointer, request.to.spec.notify, hooks);
  if (!hooks.empty()) invalid_fields("invalid_task", std::move(hooks));
  if (patch.contains("slots") || patch.contains("resources")) {
    check_needs(context.machine, pointer, request.to.spec);
  }
  // Always checked: the task may come from a version without this rule.
  check_user(context, call.actor, task.uid, pointer, request.to.spec);
  request.sets_start = patch.contains("delay_ms") || patch.contains("run_at");
  for (const auto& [field, value] : patch.items()) {
    request.fields += (request.fields.empty() ? "" : ",") + field;
  }
  return request;
}

// Returns false if somebody else changed the task first: the patch then applies to the new version.
bool try_edit(const ApiContext& context, const EditRequest& request, const std::string& pointer) {
  const EditResult result = context.store.edit(request);
  if (const auto* missing = std::get_if<NotFound>(&result)) no_such_task(missing->id);
  if (const auto* wrong = std::get_if<WrongState>(&result)) {
    wrong_state(request.retry ? "retry" : "edit", *wrong);
  }
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    unknown_queue(unknown->queue, {pointer + "/queue"});
  }
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(context, *full);
  return std::holds_alternative<Edited>(result);
}

Reply edit(const ApiContext& context, const Call& call, const json& patch,
           const std::string& pointer, bool retry) {
  const TaskId id = task_id_of(context, call);
  const auto find = [&] {
    auto task = context.store.get(call.actor, id);
    if (!task) no_such_task(id);
    return *std::move(task);
  };
  for (;;) {
    const Task task = find();
    check_if_match(call, task);
    refuse_unreadable(task);
    EditRequest request = read_edit(context, call, task, patch, pointer);
    request.retry = retry;
    if (retry) check_command(context, request.to.spec);
    if (!try_edit(context, request, pointer)) continue;
    const Task after = find();
    Reply reply = written_reply(200, task_to_text(after));
    reply.headers.emplace_back("ETag", etag_of(after));
    return reply;
  }
}

}  // namespace

Reply edit_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  return edit(context, call, parse_body(call.body), "#", /*retry=*/false);
}

Reply retry_task(const ApiContext& context, const Call& call) {
  const json body = call.body.empty() ? json::object() : parse_body(call.body);
  const auto patch = body.find("edit");
  if (patch == body.end()) return control_task<Verb::retry>(context, call);
  call.query.finish();
  for (const auto& [name, value] : body.items()) {
    if (name == "edit") continue;
    invalid_fields("invalid_request", {{"#" + pointer_step(name), "cannot be combined with edit"}});
  }
  return edit(context, call, *patch, "#/edit", /*retry=*/true);
}

}  // namespace taskd
