#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/names.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/text.h"
#include "daemon/engine/notifier.h"

namespace taskd {
namespace {

using nlohmann::json;

json events_to_json(HookEvents events) {
  json list = json::array();
  for (const HookEvent event : kAllHookEvents) {
    if (events.contains(event)) list.push_back(to_string(event));
  }
  return list;
}

// The target may be confidential, such as the address of a chat; only admins see it.
json hook_to_json(const ApiContext& context, const Call& call, const Hook& hook) {
  const HookCounts counts = context.store.hook_counts(hook.name);
  const bool is_command = hook.url.empty();
  json out = {{"name", hook.name},
              {"kind", is_command ? "command" : "url"},
              {"command", nullptr},
              {"url", nullptr},
              {"signed", !hook.secret.empty()},
              {"on", events_to_json(hook.on)},
              {"timeout_ms", hook.timeout_ms},
              {"max_age_ms", hook.max_age_ms},
              {"max_attempts", hook.max_attempts > 0 ? json(hook.max_attempts) : json(nullptr)},
              {"pending", counts.pending},
              {"failed", counts.failed},
              {"last_error", nullptr},
              {"last_error_at", nullptr}};
  if (call.actor.admin && is_command) out["command"] = hook.command;
  if (call.actor.admin && !is_command) out["url"] = hook.url;
  if (!counts.last_error.empty()) {
    out["last_error"] = counts.last_error;
    out["last_error_at"] = format_rfc3339(counts.last_error_at.value_or(WallTime{}));
  }
  return out;
}

}  // namespace

Reply list_hooks(const ApiContext& context, const Call& call) {
  call.query.finish();
  json list = json::array();
  if (context.notifier != nullptr) {
    for (const Hook& hook : context.notifier->hooks()) {
      list.push_back(hook_to_json(context, call, hook));
    }
  }
  return json_reply(200, {{"hooks", std::move(list)}, {"next_cursor", nullptr}});
}

Reply test_hook(const ApiContext& context, const Call& call) {
  call.query.finish();
  read_reason(call, /*is_pause=*/false);
  if (!call.actor.admin) {
    throw ProblemError(403, "not_allowed", "only root and the daemon's own user test hooks");
  }
  const std::string name(call.parameter);
  const Hook* hook = context.notifier == nullptr ? nullptr : context.notifier->find(name);
  if (hook == nullptr) {
    throw ProblemError(404, "no_such_hook", "there is no hook " + in_quotes(name));
  }
  const ConnectionPool::StreamSlot slot(call.pool, call.actor, call.turn);
  const HookTest test = context.notifier->test(*hook);
  if (test.result.outcome == SendOutcome::interrupted) {
    throw ProblemError(503, "shutting_down", "the daemon is stopping");
  }
  const bool delivered = test.result.outcome == SendOutcome::delivered;
  return json_reply(200, {{"hook", name},
                          {"delivery", test.delivery},
                          {"delivered", delivered},
                          {"error", delivered ? json(nullptr) : json(test.result.error)},
                          {"stderr", test.result.said},
                          {"took_ms", test.took_ms}});
}

Reply show_deliveries(const ApiContext& context, const Call& call) {
  const auto limit = static_cast<std::size_t>(call.query.take_int("limit", 1, 1000, 100));
  const auto cursor = call.query.take("cursor");
  call.query.finish();
  const Task task = task_of(context, call);
  const std::string list = "deliveries of " + std::to_string(task.id);
  const std::int64_t after = cursor ? parse_cursor(*cursor, list) : 0;
  std::vector<Delivery> deliveries =
      context.store.deliveries(task.id, after, static_cast<int>(limit) + 1);
  json next = nullptr;
  if (deliveries.size() > limit) {
    deliveries.pop_back();
    next = make_cursor(deliveries.back().seq, list);
  }
  json items = json::array();
  for (const Delivery& delivery : deliveries) items.push_back(delivery_to_json(delivery));
  return json_reply(200, {{"deliveries", std::move(items)}, {"next_cursor", std::move(next)}});
}

}  // namespace taskd
