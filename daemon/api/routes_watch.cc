#include "daemon/api/routes.h"
#include "daemon/api/waiting.h"

namespace taskd {

Reply wait_for_task(const ApiContext& context, const Call& call) {
  constexpr std::int64_t kMaxTimeoutMs = 600'000;
  const auto timeout_ms = call.query.take_int("timeout_ms", 0, kMaxTimeoutMs, 30'000);
  call.query.finish();
  const TaskId id = task_id_of(context, call);
  const BootTime deadline = context.clock.boot_now() + timeout_ms;
  const auto ticket = context.watch.watch(id);
  std::optional<ConnectionPool::WaitSlot> slot;
  for (;;) {
    ticket->clear();
    const auto task = context.store.get(call.actor, id);
    if (!task) no_such_task(context, id);
    const std::int64_t left_ms = deadline - context.clock.boot_now();
    if (is_end(task->state) || left_ms <= 0) return written_reply(200, task_to_text(*task));
    if (context.watch.closed()) throw ProblemError(503, "shutting_down", "the daemon is stopping");
    if (!slot) slot.emplace(call.pool, call.actor);
    const Wakeup wakeup = wait_for_any(call.connection, ticket->fd(), -1, left_ms);
    if (wakeup.client_gone) return written_reply(200, task_to_text(*task));  // which nobody reads
  }
}

}  // namespace taskd
