#include "daemon/api/request/submit.h"

#include "daemon/api/http/problem.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/request/task_rules.h"

namespace taskd {
namespace {

using PointerTo = std::function<std::string(std::size_t)>;

[[noreturn]] void refuse_queue(const UnknownQueue& unknown, const SubmitRequest& request,
                               const PointerTo& pointer_of) {
  std::vector<std::string> pointers;
  for (std::size_t i = 0; i < request.tasks.size() && pointers.size() < kMaxFieldErrors; ++i) {
    if (request.tasks[i].spec.queue == unknown.queue) pointers.push_back(pointer_of(i) + "/queue");
  }
  unknown_queue(unknown.queue, pointers);
}

[[noreturn]] void refuse_hooks(const ApiContext& context, const SubmitRequest& request,
                               const PointerTo& pointer_of) {
  FieldErrors errors;
  for (std::size_t i = 0; i < request.tasks.size() && errors.size() < kMaxFieldErrors; ++i) {
    check_notify(context, pointer_of(i), request.tasks[i].spec.notify, errors);
  }
  invalid_fields("invalid_task", std::move(errors));
}

[[noreturn]] void refuse_dependency(const UnknownDependency& unknown, const PointerTo& pointer_of) {
  // It existed a moment ago, when its name was resolved.
  const std::string detail = "there is no task " + std::to_string(unknown.task) + " any more";
  throw ProblemError(422, "unknown_dependency", detail,
                     {{pointer_of(unknown.index) + "/depends_on", detail}});
}

}  // namespace

Submitted submit_or_refuse(const ApiContext& context, const SubmitRequest& request,
                           const PointerTo& pointer_to) {
  SubmitResult result = context.store.submit(request);
  if (const auto* unknown = std::get_if<UnknownQueue>(&result)) {
    refuse_queue(*unknown, request, pointer_to);
  }
  if (std::holds_alternative<UnknownHook>(result)) refuse_hooks(context, request, pointer_to);
  if (const auto* full = std::get_if<QueueFull>(&result)) queue_full(context, *full);
  if (const auto* gone = std::get_if<UnknownDependency>(&result)) {
    refuse_dependency(*gone, pointer_to);
  }
  if (std::holds_alternative<KeyReused>(result)) {
    throw ProblemError(422, "idempotency_key_reused",
                       "this Idempotency-Key was used for another request");
  }
  return std::get<Submitted>(std::move(result));
}

}  // namespace taskd
