#include <nlohmann/json.hpp>

#include "daemon/api/request/body.h"
#include "daemon/api/request/filter.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/targets.h"
#include "daemon/api/request/task_rules.h"
#include "daemon/api/routes/routes.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

// Tasks of a filter that may not run fail at their start.
void check_verb(const ApiContext& context, const ControlRequest& request) {
  if (request.verb == Verb::retry || request.verb == Verb::release)
    check_commands(context, request.actor, request.ids);
}

struct Done {
  std::int64_t count = 0;
  std::int64_t running = 0;  // of these: they end once their processes are dead
  std::int64_t freed_bytes = 0;
};

// Counts the changes. A removed task's output is deleted right after the commit.
void watch(const ApiContext& context, ControlRequest& request, Done& done) {
  request.on_commit = [&, verb = request.verb](std::span<const ControlChange> changed) {
    for (const ControlChange& task : changed) {
      ++done.count;
      done.running += task.state == State::running ? 1 : 0;
      if (verb != Verb::remove) continue;
      done.freed_bytes += context.launcher.remove_task(task.id, task.attempts);
    }
  };
}

}  // namespace

template <Verb verb>
Reply control_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  if (!call.body.empty() && !parse_body(call.body).empty()) {
    invalid_request("#", "must be empty or {}");
  }
  ControlRequest request;
  request.actor = call.actor;
  request.verb = verb;
  request.ids = {task_id_of(context, call)};
  check_verb(context, request);
  const std::vector<ControlChange> changes = control(context, request);
  const auto task = context.store.get(call.actor, request.ids.front());
  if (task) return written_reply(200, task_to_text(*task));
  // Somebody removed it meanwhile, but the verb was still applied.
  return json_reply(200, {{"id", changes.front().id}, {"state", to_string(changes.front().state)}});
}

template Reply control_task<Verb::cancel>(const ApiContext&, const Call&);
template Reply control_task<Verb::retry>(const ApiContext&, const Call&);  // of retry_task
template Reply control_task<Verb::hold>(const ApiContext&, const Call&);
template Reply control_task<Verb::release>(const ApiContext&, const Call&);

Reply remove_task(const ApiContext& context, const Call& call) {
  call.query.finish();
  ControlRequest request;
  request.actor = call.actor;
  request.verb = Verb::remove;
  request.ids = {task_id_of(context, call)};
  Done done;
  watch(context, request, done);
  control(context, request);
  return json_reply(200, {{"id", request.ids.front()}, {"freed_bytes", done.freed_bytes}});
}

template <Verb verb>
Reply control_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  ControlRequest request;
  request.actor = call.actor;
  request.verb = verb;
  read_targets(context, parse_body(call.body), request);
  check_verb(context, request);
  if (request.dry_run) return preview_reply(context, request);
  Done done;
  watch(context, request, done);
  json unchanged = unchanged_of(context, request);
  json changed = json::array();
  for (const ControlChange& change : control(context, request)) {
    changed.push_back({{"id", change.id}, {"state", to_string(change.state)}});
  }
  json answer = {{"count", done.count},
                 {"running", done.running},
                 {"changed", std::move(changed)},
                 {"unchanged", std::move(unchanged)}};
  if (verb == Verb::remove) answer["freed_bytes"] = done.freed_bytes;
  return json_reply(200, answer);
}

template Reply control_tasks<Verb::cancel>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::retry>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::hold>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::release>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::remove>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::move>(const ApiContext&, const Call&);

}  // namespace taskd
