#include "daemon/store/tasks/control.h"

#include <algorithm>
#include <map>

#include "daemon/store/limits/arrays.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

enum class Effect { forbidden, none, transition, request_cancel, remove, requeue, note };

// The verb's effect on a task in this state.
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

// The event for releasing a task.
Event release_of(Transaction& transaction, const StoredTask& task) {
  if (has_open_links(transaction.db(), task.id)) return Event::release_blocked;
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
  if (task.queue == queue) return;
  note.detail = "from=" + task.queue + " to=" + queue;
  transaction.requeue(task, queue);
  transaction.amend(task, task.row, note);
}

void request_cancel(Transaction& transaction, StoredTask& task, Note note) {
  if (task.row.cancel_requested_at) {
    transaction.add_change(task);  // requested again: notify whoever stops it again
    return;
  }
  TaskRow after = task.row;
  after.cancel_requested_at = transaction.now();
  note.type = "cancel_requested";
  transaction.amend(task, after, note);
}

// Why the verb cannot be applied to all of the ids, which are sorted. `preview` counts the changes;
// `refusal(queue, count)` is find_refusal() for the writer or for a reader.
template <class Refusal>
std::optional<ControlResult> refuse_ids(Connection& db, const ControlRequest& request,
                                        const std::vector<TaskId>& ids, const Refusal& refusal,
                                        PreviewCounter& preview) {
  if (request.verb == Verb::move) {
    const auto why = refusal(request.queue, 0);
    if (why && std::holds_alternative<UnknownQueue>(*why)) return UnknownQueue{request.queue};
  }
  VerbJudge judge(request);
  std::map<std::string, std::int64_t> added;
  for (const TaskId id : ids) {
    const std::optional<StoredTask> task = load_task(db, id);
    if (!task || !request.actor.sees(task->uid)) return NotFound{id};
    if (auto refused = judge.refuse(db, *task)) return refused;
    if (const std::string* queue = queue_entered(request, task->row.state, task->queue)) {
      ++added[*queue];
    }
    if (changes_something(request, task->row.state, task->queue)) {
      preview.add(id, task->row.state, task->queue);
    }
  }
  for (const auto& [queue, count] : added) {
    if (auto full = refusal(queue, count)) return std::get<QueueFull>(*std::move(full));
  }
  return std::nullopt;
}

// All or nothing: checks everything before changing anything.
ControlResult control_ids(Transaction& transaction, const ControlRequest& request,
                          const std::vector<TaskId>& ids) {
  PreviewCounter unused;
  const auto refusal = [&](const std::string& queue, std::int64_t count) {
    return find_refusal(transaction, queue, count);
  };
  if (auto refused = refuse_ids(transaction.db(), request, ids, refusal, unused)) {
    return *std::move(refused);
  }
  std::vector<ControlChange> changes;
  // Ascending ids are also the order of dependencies.
  for (const TaskId id : ids) {
    changes.push_back(apply_verb(transaction, request, load_task(transaction.db(), id).value()));
  }
  return changes;
}

// Whether removing them takes longer than one commit should, since their dependencies are removed,
// too.
bool have_many_links(Connection& db, const std::vector<TaskId>& ids) {
  std::int64_t links = 0;
  for (const TaskId id : ids) {
    links += count_links(db, id);
    if (links > kLinksAtOnce) return true;
  }
  return false;
}

std::vector<TaskId> sorted_once(std::vector<TaskId> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

}  // namespace

std::optional<ControlResult> VerbJudge::refuse(Connection& db, const StoredTask& task) {
  const State state = task.row.state;
  if (effect_of(request_.verb, state) == Effect::forbidden) return WrongState{task.id, state};
  if (request_.verb == Verb::remove) {
    if (const auto array = unfinished_dependant(db, task.id)) return NeededByArray{task.id, *array};
  }
  if (request_.verb != Verb::retry) return std::nullopt;
  if (request_.filter && was_skipped(db, task.id)) return WrongState{task.id, state};
  if (task.unique_key.empty()) return std::nullopt;
  if (const auto duplicate = find_active_duplicate(db, task.id, task.uid, task.unique_key)) {
    return WrongState{task.id, state, *duplicate};
  }
  const auto [other, fresh] = retried_.try_emplace({task.uid, task.unique_key}, task.id);
  if (!fresh) return WrongState{task.id, state, other->second};
  return std::nullopt;
}

void retry_task(Transaction& transaction, StoredTask& task, const Note& note) {
  waive_dependencies(transaction.db(), task.id);
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

ControlChange apply_verb(Transaction& transaction, const ControlRequest& request, StoredTask task) {
  const Note note{
      .type = event_type(request.verb), .actor_uid = request.actor.uid, .detail = request.detail};
  switch (effect_of(request.verb, task.row.state)) {
    case Effect::transition:
      // The same request may retry what it depends on, before it or as a consequence.
      if (request.verb == Verb::retry && reopen_to_wait(transaction, task, note)) break;
      change_state(transaction, task, request.verb, note);
      break;
    case Effect::request_cancel:
      request_cancel(transaction, task, note);
      break;
    case Effect::remove:
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

bool must_update_first(Transaction& transaction, const ControlRequest& request,
                       const std::vector<TaskId>& ids) {
  return request.verb == Verb::remove && !request.dry_run && update_dependants_of(transaction, ids);
}

const std::string* queue_entered(const ControlRequest& request, State state,
                                 const std::string& queue) {
  if (request.verb == Verb::retry) return is_end(state) ? &queue : nullptr;
  return request.verb == Verb::move && queue != request.queue ? &request.queue : nullptr;
}

bool changes_something(const ControlRequest& request, State state, const std::string& queue) {
  const Effect effect = effect_of(request.verb, state);
  if (effect == Effect::forbidden || effect == Effect::none) return false;
  return effect != Effect::requeue || queue_entered(request, state, queue) != nullptr;
}

WhenFull when_full(Verb verb) {
  const bool helps = verb == Verb::cancel || verb == Verb::remove || verb == Verb::signal;
  return helps ? WhenFull::use_ballast : WhenFull::refuse;
}

ControlResult StoreTasks::preview_ids(const ControlRequest& request,
                                      const std::vector<TaskId>& ids) {
  PreviewCounter preview;
  const auto refused = impl_->read([&](Connection& db) {
    const auto refusal = [&](const std::string& queue, std::int64_t count) {
      const std::optional<QueueInfo> info = load_queue(db, queue);
      return find_refusal(db, queue, info ? &*info : nullptr, count);
    };
    return refuse_ids(db, request, ids, refusal, preview);
  });
  return refused ? *refused : ControlResult(preview.take());
}

ControlResult StoreTasks::control_ids(const ControlRequest& request) {
  const std::vector<TaskId> ids = sorted_once(request.ids);
  if (request.dry_run) return preview_ids(request, ids);
  if (ids.size() > kMaxIdsOfCommit) return control_many(request, ids);
  if (request.verb == Verb::remove && ids.size() > 1 &&
      impl_->read([&](Connection& db) { return have_many_links(db, ids); })) {
    return control_many(request, ids);
  }
  ControlResult result;
  bool done = false;
  while (!done) {
    result = impl_->write(when_full(request.verb), request.actor,
                          [&](Transaction& transaction) -> ControlResult {
                            done = !must_update_first(transaction, request, ids);
                            if (!done) return {};
                            return taskd::control_ids(transaction, request, ids);
                          });
  }
  const auto* changes = std::get_if<std::vector<ControlChange>>(&result);
  if (changes != nullptr && request.on_commit) request.on_commit(*changes);
  return result;
}

ControlResult StoreTasks::control(const ControlRequest& request) {
  if (!request.filter) return control_ids(request);
  const auto control_rest = [&] {
    return request.dry_run ? preview_filter(request) : control_filter(request);
  };
  if (request.ids.empty()) return control_rest();
  ControlRequest named = request;
  named.filter.reset();  // it does not apply to the named tasks
  ControlResult first = control_ids(named);
  auto* changes = std::get_if<std::vector<ControlChange>>(&first);
  auto* preview = std::get_if<Preview>(&first);
  if (changes == nullptr && preview == nullptr) return first;
  ControlResult rest = control_rest();
  if (const auto* more = std::get_if<std::vector<ControlChange>>(&rest)) {
    changes->insert(changes->end(), more->begin(), more->end());
    if (changes->size() > kMaxPreviewed) changes->resize(kMaxPreviewed);
  } else if (const auto* found = std::get_if<Preview>(&rest)) {
    preview->add(*found);
  } else {
    return rest;
  }
  return first;
}

}  // namespace taskd
