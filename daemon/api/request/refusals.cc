#include "daemon/api/request/refusals.h"

#include <algorithm>

#include "daemon/api/http/problem.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

constexpr std::int64_t kMaxRetryAfterS = 3600;  // estimates beyond this are unreliable

}  // namespace

void refuse_copy(const ApiContext& context) {
  if (context.store.provenance() != Provenance::copy) return;
  throw ProblemError(
      503, "store_is_copy",
      "this daemon's store is a copy of another, and read-only until its administrator "
      "adopts it with taskctl daemon --adopt-copy");
}

void no_such_task(TaskId id) {
  throw ProblemError(404, "no_such_task", "there is no task " + std::to_string(id));
}

void being_submitted(TaskId array, const std::string& why) {
  throw ProblemError(
      503, "array_being_submitted",
      "array " + std::to_string(array) + " is being submitted" + why + "; try again in a moment");
}

void wrong_state(std::string_view verb, const WrongState& wrong) {
  throw ProblemError(
      409, "wrong_state",
      "cannot " + std::string(verb) + " task " + std::to_string(wrong.id) + ": " +
          (wrong.duplicate > 0 ? "task " + std::to_string(wrong.duplicate) + " has its unique key"
                               : state_sentence(wrong.state)));
}

void queue_full(const ApiContext& context, const QueueFull& full) {
  const std::string queue = "queue " + in_quotes(full.queue);
  const std::string capacity =
      std::to_string(full.capacity) + (full.capacity == 1 ? " waiting task" : " waiting tasks");
  if (!full.draining && full.capacity > 0 && full.asked > full.capacity) {
    // Trying again would not help.
    throw ProblemError(422, "does_not_fit",
                       queue + " takes at most " + capacity + ", but these are " +
                           std::to_string(full.asked) +
                           "; submit fewer at once, or raise its capacity");
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

void unknown_handler(const std::string& name, const std::string& pointer) {
  throw ProblemError(
      422, "unknown_handler",
      "there is no handler " + in_quotes(name) + "; the daemon's configuration declares them",
      {{pointer + "/handler", "no such handler"}});
}

void invalid_request(const std::string& pointer, const std::string& detail) {
  throw ProblemError(422, "invalid_request", pointer + ": " + detail, {{pointer, detail}});
}

void invalid_fields(const std::string& code, FieldErrors errors) {
  const std::string detail = errors.front().pointer + ": " + errors.front().detail;
  if (errors.size() > kMaxFieldErrors) errors.resize(kMaxFieldErrors);
  throw ProblemError(422, code, detail, std::move(errors));
}

}  // namespace taskd
