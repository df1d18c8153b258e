#include <nlohmann/json.hpp>

#include "daemon/api/request/filter.h"
#include "daemon/api/request/names.h"
#include "daemon/api/routes/routes.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

const std::string& text_at(const json& value, const std::string& pointer) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) invalid_request(pointer, "must be a string");
  return *text;
}

}  // namespace

void read_targets(const ApiContext& context, const json& body, ControlRequest& request) {
  for (const auto& [name, value] : body.items()) {
    if (name == "filter") {
      request.filter = filter_of_body(context, request.actor, value);
    } else if (name == "dry_run") {
      if (!value.is_boolean()) invalid_request("#/dry_run", "must be true or false");
      request.dry_run = value.get<bool>();
    } else if (name == "queue" && request.verb == Verb::move) {
      request.queue = text_at(value, "#/queue");
    } else if (name != "ids" && name != "tasks") {
      invalid_request("#" + pointer_step(name), "is not known here");
    }
  }
  if (body.contains("ids") + body.contains("tasks") + body.contains("filter") != 1) {
    invalid_request("#", "needs exactly one of ids, tasks and filter");
  }
  if (!request.filter) {
    NamedTasks named = read_named(context, request.actor, body);
    request.ids = std::move(named.ids);
    named.ids.clear();
    if (!named.ranges.empty()) request.filter.emplace().ids = named.all();
  }
  if (request.verb == Verb::move && !body.contains("queue")) {
    invalid_request("#/queue", "must name the queue to move to");
  }
  if (request.verb == Verb::remove && request.filter == Filter{}) {
    invalid_request("#/filter",
                    "must name something: an empty filter would delete every ended task");
  }
}

namespace {

ControlResult control_or_refuse(const ApiContext& context, const ControlRequest& request) {
  ControlResult result = context.store.control(request);
  if (const auto* missing = std::get_if<NotFound>(&result)) no_such_task(missing->id);
  if (const auto* wrong = std::get_if<WrongState>(&result)) {
    wrong_state(to_string(request.verb), *wrong);
  }
  if (const auto* needed = std::get_if<NeededByArray>(&result)) {
    being_submitted(needed->array, ", and it depends on task " + std::to_string(needed->id));
  }
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    unknown_queue(unknown->queue, {"#/queue"});
  }
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(context, *full);
  return result;
}

// Of a filter's tasks each tells at its start that it may not run.
void check_verb(const ApiContext& context, const ControlRequest& request) {
  if (request.verb == Verb::retry || request.verb == Verb::release)
    check_commands(context, request.actor, request.ids);
}

struct Done {
  std::int64_t count = 0;
  std::int64_t running = 0;  // of these: they end once their trees are dead
  std::int64_t freed_bytes = 0;
};

// Counts what is done. A removed task's output goes right after the commit.
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

json unchanged_of(const ApiContext& context, const ControlRequest& request) {
  json all = json::array();
  if (!request.filter || request.filter->ids.empty()) return all;
  for (const auto& [state, count] : context.store.unchanged(request)) {
    all.push_back({{"state", to_string(state)}, {"count", count}});
  }
  return all;
}

std::vector<ControlChange> control(const ApiContext& context, const ControlRequest& request) {
  return std::get<std::vector<ControlChange>>(control_or_refuse(context, request));
}

Reply preview_reply(const ApiContext& context, const ControlRequest& request) {
  json unchanged = unchanged_of(context, request);
  const auto preview = std::get<Preview>(control_or_refuse(context, request));
  json counts = json::array();
  for (const auto& [queue, state, count] : preview.counts) {
    counts.push_back({{"queue", queue}, {"state", to_string(state)}, {"count", count}});
  }
  const json full = preview.full_queue.empty() ? json(nullptr) : json(preview.full_queue);
  return json_reply(200, {{"dry_run", true},
                          {"count", preview.count},
                          {"counts", std::move(counts)},
                          {"ids", preview.first},
                          {"unchanged", std::move(unchanged)},
                          {"full_queue", full}});
}

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
  // Removed by somebody meanwhile; what was done to it still was.
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
