#include "daemon/api/routes.h"

namespace taskd {
namespace {

class TaskWait final : public HttpWait {
 public:
  TaskWait(TaskWatch& watch, TaskId id, BootTime deadline)
      : HttpWait(deadline), task(id), ticket(watch.watch(id)) {}
  int fd() const override { return ticket->fd(); }

  const TaskId task;
  const std::unique_ptr<TaskWatch::Ticket> ticket;
};

}  // namespace

Reply wait_for_task(const ApiContext& context, const Call& call) {
  constexpr std::int64_t kMaxTimeoutMs = 600'000;
  const auto timeout_ms = call.query.take_int("timeout_ms", 0, kMaxTimeoutMs, 30'000);
  call.query.finish();
  const auto* wait = dynamic_cast<const TaskWait*>(call.connection.wait());
  if (wait == nullptr) {
    auto fresh = std::make_unique<TaskWait>(context.watch, task_id_of(context, call),
                                            context.clock.boot_now() + timeout_ms);
    wait = fresh.get();
    call.connection.set_wait(std::move(fresh));
  }
  wait->ticket->clear();
  const auto task = context.store.get(call.actor, wait->task);
  if (!task) no_such_task(context, wait->task);
  const bool is_over = context.clock.boot_now() >= wait->deadline();
  if (is_end(task->state) || is_over) return written_reply(200, task_to_text(*task));
  if (context.watch.closed()) throw ProblemError(503, "shutting_down", "the daemon is stopping");
  Reply later;
  later.waits = true;
  return later;
}

}  // namespace taskd
