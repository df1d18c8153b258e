#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/task_rules.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"
#include "daemon/task/field_reader.h"
#include "daemon/task/queue_handler_defaults.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::string_view kDefaultQueue = "default";
constexpr std::size_t kMaxSchedules = 3;  // schedules named in a sentence

void check_admin(const Call& call) {
  if (call.actor.admin) return;
  throw ProblemError(403, "not_allowed", "only root and the daemon's own user change queues");
}

[[noreturn]] void no_such_queue(const std::string& name) {
  throw ProblemError(404, "no_such_queue", "there is no queue " + in_quotes(name));
}

// "the schedule \"a\"", "the schedules \"a\", \"b\", \"c\" and 2 more".
std::string name_schedules(const std::vector<std::string>& names) {
  const std::size_t shown = std::min(names.size(), kMaxSchedules);
  std::string text = names.size() == 1 ? "the schedule " : "the schedules ";
  for (std::size_t i = 0; i < shown; ++i) {
    if (i > 0) text += i + 1 == names.size() ? " and " : ", ";
    text += in_quotes(names[i]);
  }
  if (names.size() > shown) text += " and " + std::to_string(names.size() - shown) + " more";
  return text;
}

[[noreturn]] void queue_in_use(const QueueInUse& used) {
  const QueueInfo& queue = used.info;
  const std::string& name = queue.settings.name;
  if (name == kDefaultQueue) {
    throw ProblemError(409, "queue_in_use", "the queue \"default\" cannot be removed");
  }
  if (!used.schedules.empty()) {
    const bool one = used.schedules.size() == 1;
    throw ProblemError(409, "queue_in_use",
                       name_schedules(used.schedules) + (one ? " submits" : " submit") +
                           " to queue " + in_quotes(name) +
                           "; \"taskctl schedule rm\" removes a schedule, \"taskctl schedule add"
                           " --replace\" gives it another queue");
  }
  std::string tasks;
  bool any_live = false;
  for (const State state : kAllStates) {
    const std::int64_t count = queue.count(state);
    if (count == 0) continue;
    if (!tasks.empty()) tasks += ", ";
    tasks += std::to_string(count) + " " + std::string(to_string(state));
    any_live |= !is_end(state);
  }
  if (tasks.empty()) tasks = "of an array that is being submitted";
  const std::string option = " --queue " + name;
  const std::string cancel = any_live ? "\"taskctl cancel" + option + "\" ends them, " : "";
  throw ProblemError(409, "queue_in_use",
                     "queue " + in_quotes(name) + " still has tasks (" + tasks + "); " + cancel +
                         "\"taskctl rm" + option + "\" removes those that have ended");
}

// Replaces the patch of the defaults, if there is one, with the resulting defaults. 422.
void complete_defaults(const ApiContext& context, const std::string& before, QueuePatch& settings) {
  if (!settings.defaults) return;
  const std::string pointer = "#/defaults";
  const json patch = json::parse(*settings.defaults);
  FieldErrors errors;
  for (const auto& [field, value] : patch.items()) {
    if (value.is_null() && !can_be_default(DefaultsOf::queue, field))
      errors.push_back({pointer + pointer_step(field), "cannot be a default of a queue"});
  }
  const json defaults = patch_defaults(json::parse(before), patch);
  const FieldErrors wrong = check_task_defaults(DefaultsOf::queue, defaults, pointer);
  errors.insert(errors.end(), wrong.begin(), wrong.end());
  if (!errors.empty()) invalid_fields("invalid_request", std::move(errors));
  check_needs(context.machine, pointer, spec_with_defaults(defaults));
  settings.defaults = defaults.dump();
  settings.defaults_were = before;
}

QueueInfo info_of(QueueResult result) {
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) no_such_queue(unknown->queue);
  if (const auto* used = std::get_if<QueueInUse>(&result)) queue_in_use(*used);
  return std::get<QueueInfo>(std::move(result));
}

// The requested settings. 403, 422.
QueuePatch read_patch(const ApiContext& context, const Call& call) {
  call.query.finish();
  check_admin(call);
  const std::string name(call.parameter);
  if (!is_valid_queue_name(name)) {
    throw ProblemError(422, "invalid_request",
                       "a queue's name is 1 to 64 letters, digits, '.', '_' or '-', and begins "
                       "with a letter or digit; not " +
                           in_quotes(name));
  }
  auto patch = queue_patch_from_json(parse_body(call.body), name);
  if (auto* errors = std::get_if<FieldErrors>(&patch)) {
    invalid_fields("invalid_request", std::move(*errors));
  }
  auto& settings = std::get<QueuePatch>(patch);
  FieldErrors errors;
  if (settings.notify) check_notify(context, "#", *settings.notify, errors);
  if (!errors.empty()) invalid_fields("invalid_request", std::move(errors));
  return std::move(settings);
}

}  // namespace

Reply list_queues(const ApiContext& context, const Call& call) {
  call.query.finish();
  json list = json::array();
  for (const QueueInfo& queue : context.store.queues()) list.push_back(queue_to_json(queue));
  return json_reply(200, {{"queues", std::move(list)}, {"next_cursor", nullptr}});
}

Reply show_queue(const ApiContext& context, const Call& call) {
  call.query.finish();
  const std::string name(call.parameter);
  const auto queue = context.store.queue(name);
  if (!queue) no_such_queue(name);
  return json_reply(200, queue_to_json(*queue));
}

Reply put_queue(const ApiContext& context, const Call& call) {
  QueuePatch patch = read_patch(context, call);
  const QueueSettings defaults;
  complete_defaults(context, defaults.defaults, patch);
  patch.defaults_were = std::nullopt;  // whatever they were before
  patch.defaults = patch.defaults.value_or(defaults.defaults);
  patch.capacity = patch.capacity.value_or(defaults.capacity);
  patch.concurrency = patch.concurrency.value_or(defaults.concurrency);
  patch.rate = patch.rate.value_or(defaults.rate);
  patch.weight = patch.weight.value_or(defaults.weight);
  patch.notify = patch.notify.value_or(defaults.notify);
  QueueResult result = context.store.set_queue(call.actor, patch, /*create=*/false);
  const bool is_new = std::holds_alternative<UnknownQueue>(result);
  if (is_new) result = context.store.set_queue(call.actor, patch, /*create=*/true);
  Reply reply = json_reply(is_new ? 201 : 200, queue_to_json(info_of(std::move(result))));
  if (is_new) reply.headers.emplace_back("Location", "/v1/queues/" + patch.name);
  return reply;
}

Reply patch_queue(const ApiContext& context, const Call& call) {
  const QueuePatch sent = read_patch(context, call);
  for (;;) {
    QueuePatch patch = sent;
    if (patch.defaults) {
      const auto queue = context.store.queue(patch.name);
      if (!queue) no_such_queue(patch.name);
      complete_defaults(context, queue->settings.defaults, patch);
    }
    QueueResult result = context.store.set_queue(call.actor, patch, /*create=*/false);
    if (std::holds_alternative<EditedMeanwhile>(result))
      continue;  // retry with the current settings
    return json_reply(200, queue_to_json(info_of(std::move(result))));
  }
}

Reply remove_queue(const ApiContext& context, const Call& call) {
  call.query.finish();
  check_admin(call);
  const std::string name(call.parameter);
  info_of(context.store.remove_queue(call.actor, name));
  return json_reply(200, {{"name", name}});
}

template <QueueVerb verb>
Reply control_queue(const ApiContext& context, const Call& call) {
  call.query.finish();
  check_admin(call);
  const std::string reason = read_reason(call, verb == QueueVerb::pause);
  return json_reply(200, queue_to_json(info_of(context.store.control_queue(
                             call.actor, std::string(call.parameter), verb, reason))));
}

template Reply control_queue<QueueVerb::pause>(const ApiContext&, const Call&);
template Reply control_queue<QueueVerb::resume>(const ApiContext&, const Call&);
template Reply control_queue<QueueVerb::drain>(const ApiContext&, const Call&);

}  // namespace taskd
