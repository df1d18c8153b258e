#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "daemon/api/http/problem.h"
#include "daemon/api/request/body.h"
#include "daemon/api/request/names.h"
#include "daemon/api/request/refusals.h"
#include "daemon/api/routes/routes.h"
#include "daemon/task/field_reader.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::int64_t kMaxTimeoutMs = 600'000;
constexpr std::int64_t kTimeoutMs = 30'000;

// The tasks of one wait.
struct Awaited {
  std::vector<TaskId> ids;      // must exist at the beginning and at the end; no duplicates
  std::vector<IdRange> ranges;  // ascending
};

class TaskWait final : public HttpWait {
 public:
  TaskWait(TaskWatch& watch, TaskId id, BootTime deadline,
           std::shared_ptr<const Awaited> of = nullptr)
      : HttpWait(deadline), task(id), awaited(std::move(of)), ticket(watch.watch(id)) {}
  int fd() const override { return ticket->fd(); }

  const TaskId task;
  const std::shared_ptr<const Awaited> awaited;  // for several tasks: `task` is one of them
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

std::shared_ptr<const Awaited> read_body(const ApiContext& context, const Call& call,
                                         BootTime& deadline) {
  json body = parse_body(call.body);
  deadline = context.clock.boot_now() + take_timeout(body);
  for (const auto& [name, value] : body.items()) {
    if (name != "ids" && name != "tasks") {
      invalid_request("#" + pointer_step(name), "is unknown");
    }
  }
  NamedTasks named = read_named(context, call.actor, body);
  Awaited awaited{{}, named.all()};
  std::sort(named.ids.begin(), named.ids.end());
  const auto end = std::unique(named.ids.begin(), named.ids.end());
  awaited.ids.assign(named.ids.begin(), end);
  return std::make_shared<const Awaited>(std::move(awaited));
}

void check_all_there(const ApiContext& context, const Actor& actor, const Awaited& awaited) {
  if (const auto id = context.store.first_missing(actor, awaited.ids)) no_such_task(*id);
}

Reply tell_ends(const ApiContext& context, const Actor& actor, const Awaited& awaited) {
  const EndedCounts ends = context.store.count_ends(actor, awaited.ranges);
  return json_reply(
      200, {{"count", ends.count}, {"ended", ends.ended}, {"succeeded", ends.succeeded}});
}

}  // namespace

// Watches the first task that has not ended, then the next, and so on: however many tasks there
// are, each end is checked about once.
Reply wait_for_tasks(const ApiContext& context, const Call& call) {
  call.query.finish();
  const auto* wait = dynamic_cast<const TaskWait*>(call.connection.wait());
  BootTime deadline = wait != nullptr ? wait->deadline() : BootTime{};
  const auto awaited = wait != nullptr ? wait->awaited : read_body(context, call, deadline);
  const std::vector<IdRange>& ids = awaited->ranges;
  if (wait == nullptr) check_all_there(context, call.actor, *awaited);
  for (;;) {
    if (wait != nullptr) wait->ticket->clear();
    auto open = context.store.first_open(call.actor, ids, wait != nullptr ? wait->task : 0);
    // A task that ended before may have been retried.
    if (!open && wait != nullptr) open = context.store.first_open(call.actor, ids, 0);
    const bool is_over = context.clock.boot_now() >= deadline;
    if (!open || is_over) {
      if (wait != nullptr) check_all_there(context, call.actor, *awaited);
      return tell_ends(context, call.actor, *awaited);
    }
    check_open(context);
    if (wait != nullptr && wait->task == *open) return later();
    // It may end before its ticket exists, so check it again.
    auto next = std::make_unique<TaskWait>(context.watch, *open, deadline, awaited);
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
