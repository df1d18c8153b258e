#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/batch_size.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/idempotency_key.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/page.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/submit.h"
#include "daemon/api/request/targets.h"
#include "daemon/api/request/task_reply.h"
#include "daemon/api/request/task_rules.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/spec_merge.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr int kMaxListed = 100;  // each one counts all of its tasks
constexpr std::int64_t kMaxTasks = 1000;

WorkflowId id_of(const Call& call) {
  const auto id = parse_int(call.parameter);
  if (id && *id > 0 && std::to_string(*id) == call.parameter) return *id;
  throw ProblemError(400, "bad_id", "a workflow's id is a positive integer");
}

Workflow workflow_of(const ApiContext& context, const Call& call) {
  const WorkflowId id = id_of(call);
  auto workflow = context.store.workflow(call.actor, id);
  if (!workflow) {
    throw ProblemError(404, "no_such_workflow", "there is no workflow " + std::to_string(id));
  }
  return *std::move(workflow);
}

// Takes the tasks' defaults out of the body.
json take_defaults(json& body) {
  const auto found = body.find("defaults");
  if (found == body.end()) return json::object();
  json defaults = std::move(*found);
  body.erase(found);
  FieldErrors errors = check_defaults(defaults, "#/defaults");
  if (!errors.empty()) invalid_fields("invalid_workflow", std::move(errors));
  return defaults;
}

void apply_step_defaults(const ApiContext& context, const Call& call, json& body) {
  const json defaults = take_defaults(body);
  BatchSize size("workflow", "invalid_workflow",
                 [&](std::int64_t bytes) { call.turn.grow(bytes); });
  const auto complete = [&](json& task, const std::string& pointer) {
    if (task.is_object()) fill_in(task, defaults);
    apply_defaults(context, pointer, task);
    size.add(task, pointer);
  };
  for (const char* member : {"tasks", "chain", "group"}) {
    const auto tasks = body.find(member);
    if (tasks == body.end() || !tasks->is_structured()) continue;
    for (const auto& [step, task] : tasks->items()) {
      complete(task, "#/" + std::string(member) + pointer_step(step));
    }
  }
  if (const auto then = body.find("then"); then != body.end()) complete(*then, "#/then");
}

SubmitRequest request_of(const ApiContext& context, const Call& call, NewWorkflow& workflow,
                         SubmitRequest request) {
  request.actor = call.actor;
  request.workflow = workflow.name;
  BatchSize size("workflow", "invalid_workflow", [](std::int64_t) {});
  for (WorkflowStep& step : workflow.steps) {
    check_task(context, call.actor, call.actor.uid, step.pointer, step.task.spec);
    size.add(step.task, step.pointer);
    size.add_dependencies(step.needs.size(), step.pointer);
    resolve_dependencies(context, call.actor, step.pointer, step.task, size);
    request.steps.push_back({step.name, std::move(step.needs)});
    request.tasks.push_back(std::move(step.task));
  }
  return request;
}

// Includes a page of its tasks.
Reply workflow_reply(const ApiContext& context, const Call& call, const Workflow& workflow,
                     std::size_t limit = kMaxTasks, const std::optional<std::string>& cursor = {}) {
  const std::string list = "tasks of workflow " + std::to_string(workflow.id);
  ListRequest request;
  request.actor = call.actor;
  request.filter.workflow = workflow.id;
  request.oldest_first = true;
  if (cursor) request.after = parse_cursor(*cursor, list);
  Page page("tasks", [&](JsonWriter& writer) { write_workflow(writer, workflow); });
  return page.finish(add_tasks(context, request, limit, list, page));
}

// Applies the verb to all of its tasks in these states.
Reply control_all(const ApiContext& context, const Call& call, Verb verb,
                  std::vector<State> states) {
  call.query.finish();
  if (!call.body.empty() && !parse_body(call.body).empty()) {
    throw ProblemError(422, "invalid_request", "#: must be empty or {}",
                       {{"#", "must be empty or {}"}});
  }
  ControlRequest request;
  request.actor = call.actor;
  request.verb = verb;
  request.filter.emplace();
  request.filter->workflow = workflow_of(context, call).id;
  request.filter->states = std::move(states);
  control(context, request);
  return workflow_reply(context, call, workflow_of(context, call));
}

}  // namespace

Reply submit_workflow(const ApiContext& context, const Call& call) {
  call.query.finish();
  json body = parse_body(call.body);
  SubmitRequest keyed;
  set_idempotency_key(call, body, keyed);
  apply_step_defaults(context, call, body);
  auto parsed = workflow_from_body(body);
  if (auto* errors = std::get_if<FieldErrors>(&parsed)) {
    invalid_fields("invalid_workflow", std::move(*errors));
  }
  auto& asked = std::get<NewWorkflow>(parsed);
  SubmitRequest request = request_of(context, call, asked, std::move(keyed));
  const Submitted submitted =
      submit_or_refuse(context, request, [&](std::size_t i) { return asked.steps[i].pointer; });
  const auto workflow = context.store.workflow(call.actor, submitted.workflow);
  if (!workflow) {
    throw ProblemError(404, "no_such_workflow", "the workflow was submitted and removed since");
  }
  Reply reply = workflow_reply(context, call, *workflow);
  reply.status = submitted.repeated ? 200 : 201;
  reply.headers.emplace_back("Location", "/v1/workflows/" + std::to_string(workflow->id));
  return reply;
}

Reply show_workflow(const ApiContext& context, const Call& call) {
  const auto limit = call.query.take_int("limit", 1, kMaxTasks, kMaxTasks);
  const auto cursor = call.query.take("cursor");
  call.query.finish();
  return workflow_reply(context, call, workflow_of(context, call), static_cast<std::size_t>(limit),
                        cursor);
}

Reply list_workflows(const ApiContext& context, const Call& call) {
  const std::string list = "workflows";
  const auto limit = static_cast<int>(call.query.take_int("limit", 1, 1000, kMaxListed));
  const auto cursor = call.query.take("cursor");
  call.query.finish();
  const auto before = cursor ? std::optional(parse_cursor(*cursor, list)) : std::nullopt;
  const auto [workflows, more] =
      context.store.workflows(call.actor, before, std::min(limit, kMaxListed));
  const json next = more ? json(make_cursor(workflows.back().id, list)) : json(nullptr);
  Page page("workflows");
  for (const Workflow& workflow : workflows) page.add(write_workflow, workflow);
  return page.finish(next);
}

Reply cancel_workflow(const ApiContext& context, const Call& call) {
  return control_all(context, call, Verb::cancel, {});
}

// Retries failed and cancelled tasks; succeeded ones stay.
Reply retry_workflow(const ApiContext& context, const Call& call) {
  return control_all(context, call, Verb::retry, {State::failed, State::cancelled});
}

}  // namespace taskd
