#include <nlohmann/json.hpp>

#include "daemon/api/names.h"
#include "daemon/api/routes.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxTimeoutMs = 600'000;
constexpr std::int64_t kTimeoutMs = 30'000;

class TaskWait final : public HttpWait {
 public:
  TaskWait(TaskWatch& watch, TaskId id, BootTime deadline, NamedTasks of = {})
      : HttpWait(deadline), task(id), named(std::move(of)), ticket(watch.watch(id)) {}
  int fd() const override { return ticket->fd(); }

  const TaskId task;
  const NamedTasks named;  // of several tasks: all of them, `task` among them
  const std::unique_ptr<TaskWatch::Ticket> ticket;
};

Reply later() {
  Reply reply;
  reply.waits = true;
  return reply;
}

void check_open(const ApiContext& context) {
  if (context.watch.closed()) throw ProblemError(503, "shutting_down", "the daemon is stopping");
}

std::int64_t take_timeout(json& body) {
  const auto value = body.find("timeout_ms");
  if (value == body.end()) return kTimeoutMs;
  const bool fits = value->is_number_integer() && *value >= 0 && *value <= kMaxTimeoutMs;
  if (!fits) invalid_request("#/timeout_ms", "must be an integer from 0 to 600000");
  const auto timeout_ms = value->get<std::int64_t>();
  body.erase(value);
  return timeout_ms;
}

NamedTasks read_body(const ApiContext& context, const Call& call, BootTime& deadline) {
  json body = parse_body(call.body);
  deadline = context.clock.boot_now() + take_timeout(body);
  for (const auto& [name, value] : body.items()) {
    if (name != "ids" && name != "tasks") {
      invalid_request("#" + pointer_step(name), "is not known here");
    }
  }
  return read_named(context, call.actor, body);
}

// Ids name tasks that must be there, as long as they are waited for.
void check_all_there(const ApiContext& context, const Actor& actor, const NamedTasks& named) {
  for (const TaskId id : named.ids) {
    if (!context.store.sees(actor, id)) no_such_task(id);
  }
}

Reply tell_ends(const ApiContext& context, const Actor& actor, const std::vector<IdRange>& ids) {
  const EndedCounts ends = context.store.count_ends(actor, ids);
  return json_reply(
      200, {{"count", ends.count}, {"ended", ends.ended}, {"succeeded", ends.succeeded}});
}

}  // namespace

// It watches the first task that has not ended, then the next, and so on: however many tasks there
// are, each end is looked at about once.
Reply wait_for_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  const auto* wait = dynamic_cast<const TaskWait*>(call.connection.wait());
  BootTime deadline = wait != nullptr ? wait->deadline() : BootTime{};
  const NamedTasks named = wait != nullptr ? wait->named : read_body(context, call, deadline);
  check_all_there(context, call.actor, named);
  const std::vector<IdRange> ids = named.all();
  for (;;) {
    if (wait != nullptr) wait->ticket->clear();
    auto open = context.store.first_open(call.actor, ids, wait != nullptr ? wait->task : 0);
    // One that ended before it may have been tried again.
    if (!open && wait != nullptr) open = context.store.first_open(call.actor, ids, 0);
    const bool is_over = context.clock.boot_now() >= deadline;
    if (!open || is_over) return tell_ends(context, call.actor, ids);
    check_open(context);
    if (wait != nullptr && wait->task == *open) return later();
    // It may end before its ticket is there, so it is looked at once more.
    auto next = std::make_unique<TaskWait>(context.watch, *open, deadline, named);
    wait = next.get();
    call.connection.set_wait(std::move(next));
  }
}

Reply wait_for_task(const ApiContext& context, const Call& call) {
  const auto timeout_ms = call.query.take_int("timeout_ms", 0, kMaxTimeoutMs, kTimeoutMs);
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
  if (!task) no_such_task(wait->task);
  const bool is_over = context.clock.boot_now() >= wait->deadline();
  if (is_end(task->state) || is_over) return written_reply(200, task_to_text(*task));
  check_open(context);
  return later();
}

}  // namespace taskd
