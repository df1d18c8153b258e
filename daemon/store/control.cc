#include <algorithm>
#include <map>

#include "daemon/store/arrays.h"
#include "daemon/store/dependencies.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr int kBulkChunk = 500;  // some ten milliseconds of the writer's time

enum class Effect { forbidden, none, transition, request_cancel, remove, requeue, note };

// What the verb does to a task in this state.
Effect effect_of(Verb verb, State state) {
  switch (verb) {
    case Verb::cancel:
      if (state == State::cancelled) return Effect::none;
      if (state == State::running) return Effect::request_cancel;
      return is_end(state) ? Effect::forbidden : Effect::transition;
    case Verb::retry:
      return is_end(state) ? Effect::transition : Effect::forbidden;
    case Verb::hold:
      if (state == State::held) return Effect::none;
      return next_state(state, Event::hold) ? Effect::transition : Effect::forbidden;
    case Verb::release:
      return state == State::held ? Effect::transition : Effect::forbidden;
    case Verb::remove:
      return is_end(state) ? Effect::remove : Effect::forbidden;
    case Verb::signal:
      return state == State::running ? Effect::note : Effect::forbidden;
    case Verb::move:
      return is_end(state) || state == State::running ? Effect::forbidden : Effect::requeue;
  }
  return Effect::forbidden;
}

std::string_view event_type(Verb verb) {
  switch (verb) {
    case Verb::cancel:
      return "cancelled";
    case Verb::retry:
      return "retried";
    case Verb::hold:
      return "held";
    case Verb::release:
      return "released";
    case Verb::remove:
      return "removed";
    case Verb::signal:
      return "signaled";
    case Verb::move:
      return "moved";
  }
  return "";
}

// Where a released task goes on.
Event release_of(Transaction& transaction, const StoredTask& task) {
  if (dependencies_of(transaction.db(), task.id) != DependencyState::met) {
    return Event::release_blocked;
  }
  const bool later = task.row.due_at && *task.row.due_at > transaction.now();
  return later ? Event::release_later : Event::release;
}

Event event_of(Transaction& transaction, const StoredTask& task, Verb verb) {
  switch (verb) {
    case Verb::cancel:
      return Event::cancel;
    case Verb::retry:
      return Event::retry;
    case Verb::hold:
      return Event::hold;
    case Verb::release:
    case Verb::remove:
    case Verb::signal:
    case Verb::move:
      break;
  }
  return release_of(transaction, task);
}

void change_state(Transaction& transaction, StoredTask& task, Verb verb, const Note& note) {
  if (verb == Verb::retry) return retry_task(transaction, task, note);
  TaskRow after = task.row;
  if (verb == Verb::cancel) {
    end_row(after, task, transaction.now(), transaction.now());
  }
  const Event event = event_of(transaction, task, verb);
  if (event == Event::release_blocked) after.blocked_on = BlockedOn::dependencies;
  transaction.transition(task, event, after, note);
}

void requeue(Transaction& transaction, StoredTask& task, const std::string& queue, Note note) {
  if (task.spec.queue == queue) return;
  note.detail = "from=" + task.spec.queue + " to=" + queue;
  TaskSpec spec = task.spec;
  spec.queue = queue;
  transaction.respec(task, spec);
  transaction.amend(task, task.row, note);
}

void request_cancel(Transaction& transaction, StoredTask& task, Note note) {
  if (task.row.cancel_requested_at) {
    transaction.add_change(task);  // asked again: whoever stops it is told again
    return;
  }
  TaskRow after = task.row;
  after.cancel_requested_at = transaction.now();
  note.type = "cancel_requested";
  transaction.amend(task, after, note);
}

ControlChange apply(Transaction& transaction, const ControlRequest& request, StoredTask task) {
  const Note note{
      .type = event_type(request.verb), .actor_uid = request.actor.uid, .detail = request.detail};
  switch (effect_of(request.verb, task.row.state)) {
    case Effect::transition:
      change_state(transaction, task, request.verb, note);
      // What a retry revives is not to be retried itself, which would run it at once.
      if (request.verb == Verb::retry) settle_dependencies(transaction);
      break;
    case Effect::request_cancel:
      request_cancel(transaction, task, note);
      break;
    case Effect::remove:
      tell_all_dependants(transaction, task.id);
      transaction.remove(task, note);
      break;
    case Effect::note:
      transaction.add_event(task.id, task.row.attempt, note, task.row.state, task.row.state);
      break;
    case Effect::requeue:
      requeue(transaction, task, request.queue, note);
      break;
    case Effect::none:
    case Effect::forbidden:
      break;
  }
  return {.id = task.id,
          .state = task.row.state,
          .cancel_requested =
              task.row.state == State::running && task.row.cancel_requested_at.has_value(),
          .attempts = task.row.attempt};
}

// The queue into which the verb puts the task, or none where it stays.
const std::string* queue_entered(const ControlRequest& request, const StoredTask& task) {
  if (request.verb == Verb::retry) return &task.spec.queue;
  if (request.verb == Verb::move && task.spec.queue != request.queue) return &request.queue;
  return nullptr;
}

// That queue, if it takes nothing more; `added` counts what is about to enter each.
std::optional<QueueFull> find_full(const QueueTable& queues, const std::string* queue,
                                   std::map<std::string, std::int64_t>& added) {
  if (queue == nullptr) return {};
  const auto refusal = find_refusal(queues, *queue, ++added[*queue]);
  return refusal ? std::optional(std::get<QueueFull>(*refusal)) : std::nullopt;
}

// Whether there is a queue to move to.
bool is_known(const QueueTable& queues, const ControlRequest& request) {
  return request.verb != Verb::move || queues.contains(request.queue);
}

// All or nothing: everything is looked at before anything changes.
ControlResult control_ids(Transaction& transaction, const ControlRequest& request,
                          const std::vector<TaskId>& ids) {
  if (!is_known(transaction.queues(), request)) return UnknownQueue{request.queue};
  std::map<std::string, std::int64_t> added;
  for (const TaskId id : ids) {
    const std::optional<StoredTask> task = load_task(transaction.db(), id);
    if (!task || !is_visible(request.actor, *task)) return NotFound{id};
    if (effect_of(request.verb, task->row.state) == Effect::forbidden) {
      return WrongState{id, task->row.state};
    }
    if (auto full = find_full(transaction.queues(), queue_entered(request, *task), added)) {
      return *std::move(full);
    }
  }
  std::vector<ControlChange> changes;
  // In the order of ids, which is that of dependencies.
  for (const TaskId id : ids) {
    changes.push_back(apply(transaction, request, load_task(transaction.db(), id).value()));
  }
  return changes;
}

bool is_among(const std::vector<State>& states, State state) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

// The filter's states to which the verb applies.
std::vector<State> states_for(Verb verb, const Filter& filter) {
  std::vector<State> states;
  for (const State state : kAllStates) {
    const Effect effect = effect_of(verb, state);
    const bool applies = effect != Effect::forbidden && effect != Effect::none;
    if (applies && (filter.states.empty() || is_among(filter.states, state))) {
      states.push_back(state);
    }
  }
  return states;
}

struct Chunk {
  std::vector<ControlChange> changes;
  std::optional<QueueFull> full;  // why it ended early
  bool unknown_queue = false;     // the same: there is none to move to
};

// A task may have changed between its selection by a reader and now; it is looked at again.
Chunk control_chunk(Transaction& transaction, const ControlRequest& request,
                    const std::vector<State>& states, const std::vector<TaskId>& ids) {
  Chunk chunk;
  chunk.unknown_queue = !is_known(transaction.queues(), request);
  if (chunk.unknown_queue) return chunk;
  for (const TaskId id : ids) {
    std::optional<StoredTask> task = load_task(transaction.db(), id);
    if (!task || !is_among(states, task->row.state)) continue;
    const std::string* queue = queue_entered(request, *task);
    if (request.verb == Verb::move && queue == nullptr) continue;
    std::map<std::string, std::int64_t> added;  // what entered before is counted already
    chunk.full = find_full(transaction.queues(), queue, added);
    if (chunk.full) break;
    chunk.changes.push_back(apply(transaction, request, *std::move(task)));
  }
  return chunk;
}

std::vector<TaskId> sorted_once(std::vector<TaskId> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

// What frees space, or stops the job that fills the disk, must work on a full one.
WhenFull when_full(Verb verb) {
  const bool helps = verb == Verb::cancel || verb == Verb::remove || verb == Verb::signal;
  return helps ? WhenFull::use_ballast : WhenFull::refuse;
}

}  // namespace

void retry_task(Transaction& transaction, StoredTask& task, const Note& note) {
  drop_dependencies(transaction.db(), task.id);
  TaskRow after;  // a fresh budget
  after.attempt = task.row.attempt;
  after.started_at = task.row.started_at;
  transaction.transition(task, Event::retry, after, note);
}

void cancel_task(Transaction& transaction, StoredTask& task,
                 std::optional<std::uint32_t> actor_uid) {
  const Note note{.type = event_type(Verb::cancel), .actor_uid = actor_uid};
  switch (effect_of(Verb::cancel, task.row.state)) {
    case Effect::transition:
      change_state(transaction, task, Verb::cancel, note);
      break;
    case Effect::request_cancel:
      request_cancel(transaction, task, note);
      break;
    default:
      break;
  }
}

ControlResult TaskStore::control(const ControlRequest& request) {
  if (request.filter) return control_filter(request);
  const std::vector<TaskId> ids = sorted_once(request.ids);
  ControlResult result = impl_->write(when_full(request.verb), [&](Transaction& transaction) {
    return control_ids(transaction, request, ids);
  });
  const auto* changes = std::get_if<std::vector<ControlChange>>(&result);
  if (changes != nullptr && request.on_commit) request.on_commit(*changes);
  return result;
}

ControlResult TaskStore::control_filter(const ControlRequest& request) {
  ListRequest selection;
  selection.actor = request.actor;
  selection.filter = *request.filter;
  selection.oldest_first = true;
  selection.filter.states = states_for(request.verb, *request.filter);
  selection.limit = kBulkChunk;
  // What an array has not made yet is cancelled by not making it.
  if (request.verb == Verb::cancel && request.filter->array) {
    impl_->writer.run(WhenFull::use_ballast, [&](Transaction& transaction) {
      const auto first = load_task(transaction.db(), *request.filter->array);
      if (first && is_visible(request.actor, *first)) {
        end_array(transaction.db(), *request.filter->array);
      }
    });
  }
  std::vector<ControlChange> changes;
  const std::optional<TaskId> newest = last(request.actor);
  if (request.verb == Verb::move && !queue(request.queue)) return UnknownQueue{request.queue};
  if (selection.filter.states.empty() || !newest) return changes;
  for (;;) {
    std::vector<TaskId> ids =
        impl_->read([&](Connection& db) { return select_ids(db, selection); });
    while (!ids.empty() && ids.back() > *newest) ids.pop_back();
    if (ids.empty()) return changes;
    selection.after = ids.back();
    Chunk chunk = impl_->write(when_full(request.verb), [&](Transaction& transaction) {
      return control_chunk(transaction, request, selection.filter.states, ids);
    });
    if (chunk.unknown_queue) return UnknownQueue{request.queue};
    if (request.on_commit) request.on_commit(chunk.changes);
    changes.insert(changes.end(), chunk.changes.begin(), chunk.changes.end());
    if (chunk.full) {
      chunk.full->changed = changes.size();
      return *std::move(chunk.full);
    }
  }
}

}  // namespace taskd
