// POSTs that may be repeated because they have an Idempotency-Key.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/idempotency_key.h"
#include "daemon/api/request/names.h"
#include "daemon/api/routes/routes.h"
#include "daemon/base/digest.h"
#include "daemon/base/log.h"
#include "daemon/store/write/idempotent_request.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxAnswerBytes = 256 * 1024;  // larger answers are not stored

bool begins(std::string_view pattern, std::string_view with) {
  return pattern.starts_with(with);
}
bool is_submit(std::string_view pattern) {
  return pattern == "/v1/tasks" || pattern == "/v1/workflows";
}
// Whether a repeated request is answered with the task's current state, like a submit.
bool is_of_task(std::string_view pattern) {
  constexpr std::string_view kVerbs[] = {"/v1/tasks/{id}/cancel", "/v1/tasks/{id}/retry",
                                         "/v1/tasks/{id}/hold", "/v1/tasks/{id}/release",
                                         "/v1/schedules/{name}/trigger"};
  return std::find(std::begin(kVerbs), std::end(kVerbs), pattern) != std::end(kVerbs);
}
// The same for the thing named in the path.
Route look_at(std::string_view pattern) {
  if (is_of_task(pattern)) return nullptr;
  if (begins(pattern, "/v1/queues/{")) return show_queue;
  if (begins(pattern, "/v1/schedules/{")) return show_schedule;
  if (begins(pattern, "/v1/workflows/{")) return show_workflow;
  return nullptr;
}
// Waits and dry runs change nothing, so they always report the current state.
bool is_deed(std::string_view pattern, const json& body) {
  const auto dry_run = body.find("dry_run");
  return pattern != "/v1/tasks:wait" && (dry_run == body.end() || *dry_run != true);
}
// A filter, names of tasks, very many ids, a removal and a workflow take several commits.
bool in_one_commit(std::string_view pattern, const json& body) {
  const auto ids = body.find("ids");
  const bool many = ids != body.end() && ids->size() > kMaxIdsOfCommit;
  return !begins(pattern, "/v1/workflows/{") && pattern != "/v1/tasks:delete" && !many &&
         !body.contains("filter") && !body.contains("tasks");
}

Reply answer_again(const ApiContext& context, const Call& call, std::string_view pattern,
                   const EarlierRequest& earlier) {
  if (earlier.answer) return written_reply(200, *earlier.answer);
  if (is_of_task(pattern) && earlier.task) {
    const auto task = context.store.get(call.actor, *earlier.task);
    if (task) return written_reply(200, task_to_text(*task));
    throw ProblemError(404, "no_such_task",
                       "the request was carried out, and task " + std::to_string(*earlier.task) +
                           " was removed since");
  }
  if (const Route look = look_at(pattern)) return look(context, call);
  // The first request changed nothing.
  if (is_of_task(pattern) && begins(pattern, "/v1/tasks/")) {
    return written_reply(200, task_to_text(task_of(context, call)));
  }
  return json_reply(200, {{"repeated", true}});
}

}  // namespace

Reply answer_once(const ApiContext& context, const Call& call, std::string_view pattern,
                  Route route) {
  if (is_submit(pattern)) return route(context, call);
  const std::string& key = checked_key(call);
  const json body = call.body.empty() ? json::object() : parse_body(call.body);
  if (!is_deed(pattern, body)) return route(context, call);
  try {
    IdempotentRequest request(
        context.store, {call.actor.uid, key, meaning_of(call, body), in_one_commit(pattern, body)});
    if (const auto& earlier = request.earlier()) {
      if (earlier->is_same) return answer_again(context, call, pattern, *earlier);
      throw ProblemError(422, "idempotency_key_reused",
                         "this Idempotency-Key was used for another request");
    }
    Reply reply = route(context, call);
    // A trigger that found an existing task created none that the key could refer to.
    const bool is_told_by_key =
        is_of_task(pattern) && (reply.status == 201 || begins(pattern, "/v1/tasks/"));
    const bool is_kept =
        look_at(pattern) == nullptr && !is_told_by_key && reply.body.size() <= kMaxAnswerBytes;
    try {
      // Without its line end.
      request.finish(is_kept ? std::optional(reply.body.substr(0, reply.body.size() - 1))
                             : std::nullopt);
    } catch (const std::exception& error) {
      // The request was carried out; only a repeat will get a shorter answer.
      log::warn("cannot store the answer of a keyed request", {{"error", error.what()}});
    }
    return reply;
  } catch (const IdempotentRequest::InProgress&) {
    throw ProblemError(409, "request_in_progress",
                       "a request with this Idempotency-Key is in progress; try again");
  }
}

}  // namespace taskd
