#include <limits>
#include <nlohmann/json.hpp>

#include "daemon/api/routes.h"
#include "daemon/api/users.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxIds = 10'000;

const std::string& text_at(const json& value, const std::string& pointer) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) invalid_request(pointer, "must be a string");
  return *text;
}

std::vector<TaskId> read_ids(const json& value) {
  if (!value.is_array() || value.empty() || value.size() > kMaxIds) {
    invalid_request("#/ids", "must be an array of 1 to 10,000 ids");
  }
  std::vector<TaskId> ids;
  for (const json& item : value) {
    const bool fits =
        item.is_number_integer() && item >= 1 && item <= std::numeric_limits<TaskId>::max();
    if (!fits) invalid_request("#/ids/" + std::to_string(ids.size()), "must be a positive integer");
    ids.push_back(item.get<TaskId>());
  }
  return ids;
}

std::vector<State> read_states(const json& value) {
  if (!value.is_array()) invalid_request("#/filter/state", "must be an array of states");
  std::vector<State> states;
  for (const json& item : value) {
    const std::string pointer = "#/filter/state/" + std::to_string(states.size());
    const auto state = parse_state(text_at(item, pointer));
    if (!state) invalid_request(pointer, "is no state");
    states.push_back(*state);
  }
  return states;
}

std::uint32_t read_user(const json& value) {
  const std::string pointer = "#/filter/user";
  const std::string user = value.is_number_integer() ? value.dump() : text_at(value, pointer);
  const auto uid = find_uid(user);
  if (!uid) {
    throw ProblemError(422, "unknown_user", "there is no user " + in_quotes(user),
                       {{pointer, "no such user"}});
  }
  return *uid;
}

Filter read_filter(const json& value) {
  if (!value.is_object()) invalid_request("#/filter", "must be an object");
  Filter filter;
  for (const auto& [name, field] : value.items()) {
    const std::string pointer = "#/filter/" + name;
    if (name == "state") {
      filter.states = read_states(field);
    } else if (name == "queue") {
      filter.queue = text_at(field, pointer);
    } else if (name == "name") {
      filter.name = text_at(field, pointer);
    } else if (name == "user") {
      filter.uid = read_user(field);
    } else if (name == "since") {
      filter.since = parse_rfc3339(text_at(field, pointer));
      if (!filter.since) invalid_request(pointer, "must be an RFC 3339 time stamp with its zone");
    } else if (name == "labels") {
      if (!field.is_object()) invalid_request(pointer, "must be an object of strings");
      for (const auto& [key, label] : field.items()) {
        filter.labels.emplace_back(key, text_at(label, pointer + "/" + key));
      }
    } else {
      invalid_request(pointer, "is not known here");
    }
  }
  return filter;
}

}  // namespace

void read_targets(const json& body, ControlRequest& request) {
  for (const auto& [name, value] : body.items()) {
    if (name == "ids") {
      request.ids = read_ids(value);
    } else if (name == "filter") {
      request.filter = read_filter(value);
    } else if (name == "queue" && request.verb == Verb::move) {
      request.queue = text_at(value, "#/queue");
    } else {
      invalid_request("#/" + name, "is not known here");
    }
  }
  if (request.ids.empty() == !request.filter) invalid_request("#", "needs either ids or a filter");
  if (request.verb == Verb::move && !body.contains("queue")) {
    invalid_request("#/queue", "must name the queue to move to");
  }
  const auto filter = body.find("filter");
  if (request.verb == Verb::remove && filter != body.end() && filter->empty()) {
    invalid_request("#/filter",
                    "must name something: an empty filter would delete every ended task");
  }
}

std::vector<ControlChange> control(const ApiContext& context, const ControlRequest& request) {
  ControlResult result = context.store.control(request);
  if (const auto* missing = std::get_if<NotFound>(&result)) no_such_task(missing->id);
  if (const auto* wrong = std::get_if<WrongState>(&result)) {
    wrong_state(to_string(request.verb), *wrong);
  }
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    unknown_queue(unknown->queue, {{"#/queue", "no such queue"}});
  }
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(*full);
  return std::get<std::vector<ControlChange>>(std::move(result));
}

namespace {

// A removed task's output goes right after the commit.
void remove_files(const ApiContext& context, ControlRequest& request) {
  request.on_commit = [&context](std::span<const ControlChange> removed) {
    for (const ControlChange& task : removed) context.launcher.remove_task(task.id, task.attempts);
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
  const std::vector<ControlChange> changes = control(context, request);
  const auto task = context.store.get(call.actor, request.ids.front());
  if (task) return json_reply(200, task_to_json(*task));
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
  remove_files(context, request);
  control(context, request);
  return json_reply(200, {{"id", request.ids.front()}});
}

template <Verb verb>
Reply control_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  ControlRequest request;
  request.actor = call.actor;
  request.verb = verb;
  read_targets(parse_body(call.body), request);
  if (verb == Verb::remove) remove_files(context, request);
  json changed = json::array();
  for (const ControlChange& change : control(context, request)) {
    changed.push_back({{"id", change.id}, {"state", to_string(change.state)}});
  }
  return json_reply(200, {{"changed", std::move(changed)}});
}

template Reply control_tasks<Verb::cancel>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::retry>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::hold>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::release>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::remove>(const ApiContext&, const Call&);
template Reply control_tasks<Verb::move>(const ApiContext&, const Call&);

}  // namespace taskd
