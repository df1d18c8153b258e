#include "daemon/store/limits/dependencies.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

bool is_waiting(State state) {
  return !is_end(state) && state != State::running;
}

// Sets the start to `due`, or to as soon as possible. A time in the past counts as none.
void move_start(Transaction& transaction, StoredTask& task, std::optional<WallTime> due,
                const Note& note) {
  TaskRow after = task.row;
  after.due_at = due;
  const bool later = due && *due > transaction.now();
  if (task.row.blocked_on == BlockedOn::key && (later || !task.key)) {
    // It leaves its key's line, because of its start time or because it has no key any more.
    transaction.transition(task, later ? Event::unblocked_later : Event::unblocked, after, note);
  } else if (task.row.state == State::scheduled && !due) {
    transaction.transition(task, Event::due, after, note);
  } else if (task.row.state == State::queued && later) {
    transaction.transition(task, Event::postpone, after, note);
  } else {
    transaction.amend(task, after, note);
  }
}

// An edit prepared on the caller's thread.
struct PreparedEdit {
  const EditRequest& request;
  PreparedSpec to;
  bool changes = false;  // the spec
  bool new_key = false;
  std::string was_text = {};  // the stored spec that was read
};

// Whether it still has the spec and start that were read.
bool is_as_read(Connection& db, const StoredTask& task, const PreparedEdit& edit) {
  const EditRequest& request = edit.request;
  if (task.queue != request.was.queue || task.name != request.was.name ||
      task.priority != request.was.priority || task.row.due_at != request.was_due_at) {
    return false;
  }
  return stored_spec(db, task) == edit.was_text;
}

EditResult edit_task(Transaction& transaction, const PreparedEdit& edit) {
  const EditRequest& request = edit.request;
  std::optional<StoredTask> task = load_task(transaction.db(), request.task);
  if (!task || !request.actor.sees(task->uid)) return NotFound{request.task};
  const State state = task->row.state;
  const bool fits = request.retry ? is_end(state) : is_waiting(state);
  if (!fits) return WrongState{request.task, state};
  if (request.retry) {
    const auto duplicate =
        find_active_duplicate(transaction.db(), task->id, task->uid, task->unique_key);
    if (duplicate) return WrongState{request.task, state, *duplicate};
  }
  if (!is_as_read(transaction.db(), *task, edit)) return EditedMeanwhile{};
  if (!edit.changes && !request.sets_start && !request.retry) return Edited{};
  if (request.retry || edit.to.queue != task->queue) {
    if (auto refusal = find_refusal(transaction, edit.to.queue, 1)) {
      return std::visit([](auto& why) { return EditResult(std::move(why)); }, *refusal);
    }
  }
  if (edit.changes) transaction.respec(*task, edit.to, edit.new_key);
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

EditResult StoreTasks::edit(const EditRequest& request) {
  PreparedEdit edit{.request = request, .to = PreparedSpec(request.to.spec)};
  edit.changes = request.to.spec != request.was;
  edit.new_key = request.to.spec.constraints.key != request.was.constraints.key;
  const bool is_as_read = impl_->read([&](Reader& db) {
    const std::optional<StoredTask> task = load_task(db, request.task);
    if (!task || !request.actor.sees(task->uid)) return true;  // the writer reports that
    return load_spec(db, *task, &edit.was_text) == request.was;
  });
  if (!is_as_read) return EditedMeanwhile{};
  return impl_->write(WhenFull::refuse, request.actor,
                      [&](Transaction& transaction) { return edit_task(transaction, edit); });
}

}  // namespace taskd
