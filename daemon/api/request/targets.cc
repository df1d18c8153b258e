#include "daemon/api/request/targets.h"

#include <nlohmann/json.hpp>

#include "daemon/api/request/filter.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

const std::string& text_at(const json& value, const std::string& pointer) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) invalid_request(pointer, "must be a string");
  return *text;
}

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
      invalid_request("#" + pointer_step(name), "is unknown");
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

}  // namespace taskd
