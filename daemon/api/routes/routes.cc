#include "daemon/api/routes/routes.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/request/names.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

constexpr std::int64_t kMaxRetryAfterS = 3600;  // nobody can tell what comes after that

struct Entry {
  std::string_view method;
  std::string_view pattern;  // may hold one {…}
  Route route;
};

// HEAD goes wherever GET does.
constexpr Entry kRoutes[] = {
    {"POST", "/v1/tasks", submit_tasks},
    {"GET", "/v1/tasks", list_tasks},
    {"POST", "/v1/tasks:cancel", control_tasks<Verb::cancel>},
    {"POST", "/v1/tasks:retry", control_tasks<Verb::retry>},
    {"POST", "/v1/tasks:hold", control_tasks<Verb::hold>},
    {"POST", "/v1/tasks:release", control_tasks<Verb::release>},
    {"POST", "/v1/tasks:delete", control_tasks<Verb::remove>},
    {"POST", "/v1/tasks:move", control_tasks<Verb::move>},
    {"GET", "/v1/tasks/{id}", show_task},
    {"PATCH", "/v1/tasks/{id}", edit_task},
    {"DELETE", "/v1/tasks/{id}", remove_task},
    {"GET", "/v1/tasks/{id}/wait", wait_for_task},
    {"GET", "/v1/tasks/{id}/logs", show_logs},
    {"GET", "/v1/tasks/{id}/attempts", show_attempts},
    {"GET", "/v1/tasks/{id}/deliveries", show_deliveries},
    {"GET", "/v1/tasks/{id}/why", show_why},
    {"POST", "/v1/tasks:wait", wait_for_tasks},
    {"POST", "/v1/tasks/{id}/cancel", control_task<Verb::cancel>},
    {"POST", "/v1/tasks/{id}/retry", retry_task},
    {"POST", "/v1/tasks/{id}/hold", control_task<Verb::hold>},
    {"POST", "/v1/tasks/{id}/release", control_task<Verb::release>},
    {"POST", "/v1/tasks:signal", signal_tasks},
    {"POST", "/v1/tasks/{id}/signal", signal_task},
    {"POST", "/v1/tasks/{id}/progress", report_progress},
    {"POST", "/v1/tasks/{id}/result", report_result},
    {"GET", "/v1/tasks/{id}/result", show_result},
    {"POST", "/v1/workflows", submit_workflow},
    {"GET", "/v1/workflows", list_workflows},
    {"GET", "/v1/workflows/{id}", show_workflow},
    {"POST", "/v1/workflows/{id}/cancel", cancel_workflow},
    {"POST", "/v1/workflows/{id}/retry", retry_workflow},
    {"GET", "/v1/queues", list_queues},
    {"GET", "/v1/queues/{name}", show_queue},
    {"PUT", "/v1/queues/{name}", put_queue},
    {"PATCH", "/v1/queues/{name}", patch_queue},
    {"DELETE", "/v1/queues/{name}", remove_queue},
    {"POST", "/v1/queues/{name}/pause", control_queue<QueueVerb::pause>},
    {"POST", "/v1/queues/{name}/resume", control_queue<QueueVerb::resume>},
    {"POST", "/v1/queues/{name}/drain", control_queue<QueueVerb::drain>},
    {"GET", "/v1/keys", list_keys},
    {"PATCH", "/v1/keys", patch_key},
    {"GET", "/v1/schedules", list_schedules},
    {"GET", "/v1/schedules/{name}", show_schedule},
    {"PUT", "/v1/schedules/{name}", put_schedule},
    {"DELETE", "/v1/schedules/{name}", remove_schedule},
    {"POST", "/v1/schedules/{name}/pause", pause_schedule},
    {"POST", "/v1/schedules/{name}/resume", resume_schedule},
    {"POST", "/v1/schedules/{name}/trigger", trigger_schedule},
    {"GET", "/v1/schedules/{name}/preview", preview_schedule},
    {"GET", "/v1/hooks", list_hooks},
    {"POST", "/v1/hooks/{name}/test", test_hook},
    {"GET", "/v1/handlers", list_handlers},
    {"GET", "/v1/stats", show_stats},
    {"GET", "/v1/healthz", show_health},
    {"GET", "/v1/integrity", show_integrity},
};

// What stands in the path where the pattern has its hole; nothing when the path does not fit.
std::optional<std::string_view> match(std::string_view pattern, std::string_view path) {
  const auto hole = pattern.find('{');
  if (hole == pattern.npos) {
    return path == pattern ? std::optional<std::string_view>("") : std::nullopt;
  }
  const auto before = pattern.substr(0, hole);
  const auto after = pattern.substr(pattern.find('}') + 1);
  if (path.size() <= before.size() + after.size()) return std::nullopt;
  if (!path.starts_with(before) || !path.ends_with(after)) return std::nullopt;
  path.remove_prefix(before.size());
  path.remove_suffix(after.size());
  if (path.find('/') != path.npos) return std::nullopt;
  return path;
}

[[noreturn]] void refuse_method(const Call& call, const std::string& allow) {
  ProblemError error(405, "method_not_allowed",
                     "this path does not take " + std::string(call.method));
  error.allow = allow;
  throw error;
}

}  // namespace

std::vector<RouteName> all_routes() {
  std::vector<RouteName> routes;
  for (const Entry& entry : kRoutes) routes.push_back({entry.method, entry.pattern});
  return routes;
}

Reply dispatch(const ApiContext& context, const Call& call) {
  const std::string_view method = call.method == "HEAD" ? "GET" : call.method;
  std::string allow;
  for (const Entry& entry : kRoutes) {
    const auto parameter = match(entry.pattern, call.path);
    if (!parameter) continue;
    if (entry.method == method) {
      admit(context, call);
      Call routed = call;
      routed.parameter = *parameter;
      if (method == "POST" && call.idempotency_key) {
        return answer_once(context, routed, entry.pattern, entry.route);
      }
      return entry.route(context, routed);
    }
    if (!allow.empty()) allow += ", ";
    allow += entry.method == "GET" ? "GET, HEAD" : entry.method;
  }
  if (!allow.empty()) refuse_method(call, allow);
  throw ProblemError(404, "no_such_path", "there is nothing at " + in_quotes(call.path));
}

void refuse_copy(const ApiContext& context) {
  if (context.store.provenance() != Provenance::copy) return;
  throw ProblemError(503, "store_is_copy",
                     "this daemon's store is a copy of another: nothing is started or changed until "
                     "its administrator makes it a store of its own with taskd --adopt-copy");
}

void queue_full(const ApiContext& context, const QueueFull& full) {
  const std::string queue = "queue " + in_quotes(full.queue);
  const std::string capacity =
      std::to_string(full.capacity) + (full.capacity == 1 ? " waiting task" : " waiting tasks");
  if (!full.draining && full.capacity > 0 && full.asked > full.capacity) {
    // To try again would not help.
    throw ProblemError(422, "does_not_fit",
                       queue + " takes at most " + capacity + ", but these are " +
                           std::to_string(full.asked) +
                           "; take fewer at once, or raise its capacity");
  }
  ProblemError error(503, "queue_full", queue + " is full (capacity: " + capacity + ")");
  if (full.draining) {
    error.problem.code = "queue_draining";
    error.problem.detail = queue + " is draining and takes no new tasks";
  } else if (full.capacity == 0) {
    error.problem.detail = queue + " takes no tasks: its capacity is 0";
  } else if (const auto room_in_ms = context.store.room_in_ms(full.queue, full.asked)) {
    error.retry_after_s = std::clamp<std::int64_t>((*room_in_ms + 999) / 1000, 1, kMaxRetryAfterS);
  }
  if (full.changed > 0) {
    error.problem.detail += "; " + std::to_string(full.changed) +
                            (full.changed == 1 ? " task was" : " tasks were") +
                            " put there before that";
  }
  throw error;
}

void unknown_queue(const std::string& queue, const std::vector<std::string>& pointers) {
  const std::string detail = "there is no queue " + in_quotes(queue);
  FieldErrors errors;
  for (const std::string& pointer : pointers) errors.push_back({pointer, detail});
  throw ProblemError(422, "unknown_queue", detail, std::move(errors));
}

void wrong_state(std::string_view verb, const WrongState& wrong) {
  throw ProblemError(
      409, "wrong_state",
      "cannot " + std::string(verb) + " task " + std::to_string(wrong.id) + ": " +
          (wrong.twin > 0 ? "task " + std::to_string(wrong.twin) + " has its unique key"
                          : state_sentence(wrong.state)));
}

void being_submitted(TaskId array, const std::string& why) {
  throw ProblemError(503, "array_being_submitted",
                     "array " + std::to_string(array) + " is being submitted" + why +
                         "; try again in a moment");
}

void no_such_task(TaskId id) {
  throw ProblemError(404, "no_such_task", "there is no task " + std::to_string(id));
}

void invalid_request(const std::string& pointer, const std::string& detail) {
  throw ProblemError(422, "invalid_request", pointer + ": " + detail, {{pointer, detail}});
}

TaskId task_id_of(const ApiContext& context, const Call& call) {
  if (call.parameter != "last") return parse_task_id(call.parameter);
  return resolve_name(context, call.actor, "last");
}

Task task_of(const ApiContext& context, const Call& call) {
  const TaskId id = task_id_of(context, call);
  auto task = context.store.get(call.actor, id);
  if (!task) no_such_task(id);
  return *std::move(task);
}

nlohmann::json parse_body(std::string_view body) {
  auto parsed = parse_strict_json(body);
  if (const auto* error = std::get_if<JsonError>(&parsed)) {
    throw ProblemError(400, "bad_json",
                       "at byte " + std::to_string(error->offset_bytes) + ": " + error->detail);
  }
  return std::get<nlohmann::json>(std::move(parsed));
}

void invalid_fields(const std::string& code, FieldErrors errors) {
  const std::string detail = errors.front().pointer + ": " + errors.front().detail;
  if (errors.size() > kMaxFieldErrors) errors.resize(kMaxFieldErrors);
  throw ProblemError(422, code, detail, std::move(errors));
}

}  // namespace taskd
