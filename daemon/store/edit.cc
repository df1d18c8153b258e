#include "daemon/store/dependencies.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

bool is_waiting(State state) {
  return !is_end(state) && state != State::running;
}

// The task starts at `due`, or as soon as it may. A time that is past is as good as none.
void move_start(Transaction& transaction, StoredTask& task, std::optional<WallTime> due,
                const Note& note) {
  TaskRow after = task.row;
  after.due_at = due;
  const bool later = due && *due > transaction.now();
  if (task.row.blocked_on == BlockedOn::key && (later || !task.key)) {
    // It leaves its key's line: for its time, or since it has no key any more.
    transaction.transition(task, later ? Event::unblocked_later : Event::unblocked, after, note);
  } else if (task.row.state == State::scheduled && !due) {
    transaction.transition(task, Event::due, after, note);
  } else if (task.row.state == State::queued && later) {
    transaction.transition(task, Event::postpone, after, note);
  } else {
    transaction.amend(task, after, note);
  }
}

EditResult edit_task(Transaction& transaction, const EditRequest& request) {
  std::optional<StoredTask> task = load_task(transaction.db(), request.task);
  if (!task || !is_visible(request.actor, *task)) return NotFound{request.task};
  const State state = task->row.state;
  const bool fits = request.retry ? is_end(state) : is_waiting(state);
  if (!fits) return WrongState{request.task, state};
  if (request.retry) {
    const std::string& unique_key = task->spec.flow.unique.key;
    const auto twin = find_twin(transaction.db(), task->id, task->uid, unique_key);
    if (twin) return WrongState{request.task, state, *twin};
  }
  task->spec.flow.depends_on = load_dependencies(transaction.db(), task->id);
  if (task->spec != request.was || task->row.due_at != request.was_due_at) {
    return EditedMeanwhile{};
  }
  const TaskSpec& spec = request.to.spec;
  if (spec == task->spec && !request.sets_start && !request.retry) return Edited{};
  if (request.retry || spec.queue != task->spec.queue) {
    if (auto refusal = find_refusal(transaction, spec.queue, 1)) {
      return std::visit([](auto& why) { return EditResult(std::move(why)); }, *refusal);
    }
  }
  if (spec != task->spec) transaction.respec(*task, spec);
  const Note edited{
      .type = "edited", .actor_uid = request.actor.uid, .detail = "fields=" + request.fields};
  if (request.retry) {
    transaction.add_event(task->id, task->row.attempt, edited, state, state);
    const Note retried{.type = "retried", .actor_uid = request.actor.uid};
    if (!reopen_to_wait(transaction, *task, retried)) retry_task(transaction, *task, retried);
  } else {
    const std::optional<WallTime> due =
        request.sets_start ? start_of(request.to, transaction.now()) : task->row.due_at;
    move_start(transaction, *task, due, edited);
  }
  return Edited{};
}

}  // namespace

EditResult TaskStore::edit(const EditRequest& request) {
  return impl_->write(WhenFull::refuse,
                      [&](Transaction& transaction) { return edit_task(transaction, request); });
}

}  // namespace taskd
