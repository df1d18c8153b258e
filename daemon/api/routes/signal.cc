#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/targets.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/signals.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

// Takes the signal out of the body, leaving the targets.
int take_signal(json& body) {
  const auto value = body.find("signal");
  if (value == body.end()) invalid_request("#/signal", "is needed");
  std::optional<int> number;
  if (const auto* name = value->get_ptr<const std::string*>()) number = parse_signal(*name);
  if (value->is_number_integer()) number = parse_signal(value->dump());
  if (!number) {
    invalid_request("#/signal", "must be a signal such as \"USR1\", or its number");
  }
  body.erase(value);
  return *number;
}

[[noreturn]] void not_there(TaskId id) {
  throw ProblemError(409, "wrong_state",
                     "cannot signal task " + std::to_string(id) +
                         ": its command has not begun yet or has just ended");
}

// Before anything is written: if one command is not running right now, refuses the whole request.
void check_reachable(const ApiContext& context, const ControlRequest& request) {
  const auto missing = context.running.signal_all(request.ids, 0);
  if (!missing) return;
  // If the task is hidden or not running, the store gives a better error.
  const auto task = context.store.get(request.actor, *missing);
  if (task && task->state == State::running) not_there(*missing);
}

// Sends it to the tasks' running commands: for ids to all or none, for a filter to those that are
// running. Returns the ids that got it.
std::vector<TaskId> send(const ApiContext& context, ControlRequest request, int signal) {
  std::vector<TaskId> reached;
  std::optional<TaskId> missing;
  request.verb = Verb::signal;
  request.detail = signal_name(signal);
  request.on_commit = [&](std::span<const ControlChange> running) {
    if (request.filter) {
      for (const ControlChange& task : running) {
        if (context.running.signal(task.id, signal)) reached.push_back(task.id);
      }
      return;
    }
    for (const ControlChange& task : running) reached.push_back(task.id);
    missing = context.running.signal_all(reached, signal);
  };
  if (!request.ids.empty()) check_reachable(context, request);
  control(context, request);
  if (missing) not_there(*missing);
  return reached;
}

}  // namespace

Reply signal_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  json body = parse_body(call.body);
  const int signal = take_signal(body);
  if (!body.empty()) invalid_request("#" + pointer_step(body.begin().key()), "is unknown");
  ControlRequest request;
  request.actor = call.actor;
  request.ids = {task_id_of(context, call)};
  send(context, request, signal);
  const auto task = context.store.get(call.actor, request.ids.front());
  // The signal ended it, and it was removed meanwhile.
  if (!task) no_such_task(request.ids.front());
  return written_reply(200, task_to_text(*task));
}

Reply signal_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  json body = parse_body(call.body);
  const int signal = take_signal(body);
  ControlRequest request;
  request.actor = call.actor;
  request.verb = Verb::signal;
  read_targets(context, body, request);
  if (request.dry_run) return preview_reply(context, request);
  json unchanged = unchanged_of(context, request);
  json changed = json::array();
  for (const TaskId id : send(context, request, signal)) {
    changed.push_back({{"id", id}, {"state", to_string(State::running)}});
  }
  const std::size_t count = changed.size();
  return json_reply(200, {{"count", count},
                          {"running", count},
                          {"changed", std::move(changed)},
                          {"unchanged", std::move(unchanged)}});
}

}  // namespace taskd
