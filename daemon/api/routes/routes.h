// Every route of API.md. Thread-safe; refusals are thrown as ProblemError.
#pragma once

#include "daemon/api/request/call.h"

namespace taskd {

// Finds the route and answers. no_such_path, method_not_allowed; what admit() refuses.
Reply dispatch(const ApiContext& context, const Call& call);
// Answers a POST with an Idempotency-Key: runs it at most once, and repeats the earlier answer.
// `pattern` is the route's. bad_idempotency_key, idempotency_key_reused, request_in_progress, and
// what the route throws.
Reply answer_once(const ApiContext& context, const Call& call, std::string_view pattern,
                  Route route);

struct RouteName {
  std::string_view method;
  std::string_view pattern;
};
// All routes, for tests that call each: "GET", "/v1/tasks/{id}".
std::vector<RouteName> all_routes();

// One function per route, in the .cc of its resource.
Reply submit_tasks(const ApiContext& context, const Call& call);
Reply list_tasks(const ApiContext& context, const Call& call);
Reply show_task(const ApiContext& context, const Call& call);
Reply show_why(const ApiContext& context, const Call& call);
Reply show_attempts(const ApiContext& context, const Call& call);
template <Verb verb>
Reply control_task(const ApiContext& context, const Call& call);
Reply edit_task(const ApiContext& context, const Call& call);
Reply retry_task(const ApiContext& context, const Call& call);
Reply remove_task(const ApiContext& context, const Call& call);
template <Verb verb>
Reply control_tasks(const ApiContext& context, const Call& call);
Reply signal_task(const ApiContext& context, const Call& call);
Reply signal_tasks(const ApiContext& context, const Call& call);
Reply report_progress(const ApiContext& context, const Call& call);
Reply report_result(const ApiContext& context, const Call& call);
Reply show_result(const ApiContext& context, const Call& call);
Reply wait_for_task(const ApiContext& context, const Call& call);
Reply wait_for_tasks(const ApiContext& context, const Call& call);
Reply show_logs(const ApiContext& context, const Call& call);
Reply submit_workflow(const ApiContext& context, const Call& call);
Reply list_workflows(const ApiContext& context, const Call& call);
Reply show_workflow(const ApiContext& context, const Call& call);
Reply cancel_workflow(const ApiContext& context, const Call& call);
Reply retry_workflow(const ApiContext& context, const Call& call);
Reply list_queues(const ApiContext& context, const Call& call);
Reply show_queue(const ApiContext& context, const Call& call);
Reply put_queue(const ApiContext& context, const Call& call);
Reply patch_queue(const ApiContext& context, const Call& call);
Reply remove_queue(const ApiContext& context, const Call& call);
template <QueueVerb verb>
Reply control_queue(const ApiContext& context, const Call& call);
Reply list_keys(const ApiContext& context, const Call& call);
Reply patch_key(const ApiContext& context, const Call& call);
Reply list_schedules(const ApiContext& context, const Call& call);
Reply show_schedule(const ApiContext& context, const Call& call);
Reply put_schedule(const ApiContext& context, const Call& call);
Reply remove_schedule(const ApiContext& context, const Call& call);
Reply pause_schedule(const ApiContext& context, const Call& call);
Reply resume_schedule(const ApiContext& context, const Call& call);
Reply trigger_schedule(const ApiContext& context, const Call& call);
Reply preview_schedule(const ApiContext& context, const Call& call);
Reply list_hooks(const ApiContext& context, const Call& call);
Reply test_hook(const ApiContext& context, const Call& call);
Reply show_deliveries(const ApiContext& context, const Call& call);
Reply list_handlers(const ApiContext& context, const Call& call);
Reply show_stats(const ApiContext& context, const Call& call);
Reply show_integrity(const ApiContext& context, const Call& call);
Reply show_health(const ApiContext& context, const Call& call);

}  // namespace taskd
