#include "daemon/api/routes/routes.h"

#include "daemon/api/http/problem.h"
#include "daemon/api/request/admission.h"
#include "daemon/api/request/names.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd {
namespace {

struct Entry {
  std::string_view method;
  std::string_view pattern;  // may contain one {…}
  Route route;
};

// HEAD works wherever GET does.
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

// The part of the path at the pattern's {…}; nothing if the path does not match.
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

}  // namespace taskd
