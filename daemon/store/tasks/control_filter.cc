// Verbs with a filter, and their dry runs.
#include <algorithm>
#include <map>

#include "daemon/store/limits/arrays.h"
#include "daemon/store/limits/dependencies.h"
#include "daemon/store/read/id_range.h"
#include "daemon/store/read/selection.h"
#include "daemon/store/tasks/control.h"

namespace taskd {
namespace {

constexpr int kBulkChunk = 500;  // takes the writer some ten milliseconds

// The states within the filter in which the verb changes something.
std::vector<State> states_for(const ControlRequest& request) {
  const std::string elsewhere;  // not a queue's name
  std::vector<State> states = states_of(*request.filter);
  std::erase_if(states, [&](State state) { return !changes_something(request, state, elsewhere); });
  return states;
}

// Calls `visit` with the ids of the tasks that match the filter and existed at the start, oldest
// first, in chunks, until it returns false. `read` runs a query on a reader.
template <class Read, class Visit>
void walk(const ControlRequest& request, const Read& read, const Visit& visit) {
  ListRequest selection;
  selection.actor = request.actor;
  selection.filter = *request.filter;
  selection.filter.states = states_for(request);
  // A cancel goes from the newest to the oldest, so that dependants are cancelled before the end of
  // their upstream could start them.
  selection.oldest_first = request.verb != Verb::cancel;
  selection.limit = kBulkChunk;
  if (selection.filter.states.empty()) return;
  selection.within = read([&](Connection& db) {
    IdRange within = range_of(db, selection.filter);
    Query newest = db.query("SELECT coalesce(max(id), 0) FROM tasks");
    if (newest.step()) within.last = std::min(within.last, newest.int64(0));
    return within;
  });
  for (;;) {
    const auto ids = read([&](Connection& db) { return select_ids(db, selection); });
    if (ids.empty() || !visit(ids)) return;
    selection.after = ids.back();
  }
}

struct Chunk {
  std::vector<ControlChange> changes;
  std::size_t looked_at = 0;      // ids handled, from the first; fewer if the commit gave way
  std::optional<QueueFull> full;  // why it stopped early
  bool unknown_queue = false;     // stopped: the target queue does not exist
  bool again = false;             // nothing was done yet, because something else had to come first
};

// A task may have changed since a reader selected it, so it is checked again.
Chunk control_chunk(Transaction& transaction, const ControlRequest& request,
                    std::span<const TaskId> ids) {
  Chunk chunk;
  chunk.again = must_update_first(transaction, request, {ids.begin(), ids.end()});
  if (chunk.again) return chunk;
  const QueueTable& queues = transaction.queues();
  chunk.unknown_queue = request.verb == Verb::move && !queues.contains(request.queue);
  if (chunk.unknown_queue) return chunk;
  VerbJudge judge(request);
  std::int64_t links = 0;  // dependencies deleted with removed tasks
  for (const TaskId id : ids) {
    if (request.verb == Verb::remove) links += count_links(transaction.db(), id);
    if (chunk.looked_at > 0 && (links > kLinksAtOnce || transaction.is_spent())) return chunk;
    ++chunk.looked_at;
    std::optional<StoredTask> task = load_task(transaction.db(), id);
    if (!task || !request.actor.sees(task->uid)) continue;
    if (request.filter && !matches(transaction.db(), *request.filter, *task)) continue;
    const State state = task->row.state;
    if (judge.refuse(transaction.db(), *task)) continue;
    if (!changes_something(request, state, task->queue)) continue;
    if (const std::string* queue = queue_entered(request, state, task->queue)) {
      if (auto full = find_refusal(transaction, *queue, 1)) {
        chunk.full = std::get<QueueFull>(*std::move(full));
        return chunk;
      }
    }
    chunk.changes.push_back(apply_verb(transaction, request, *std::move(task)));
  }
  return chunk;
}

// The same as a dry run. `room` is how many more tasks each queue takes. Returns false where the
// real run would stop.
bool preview_chunk(Connection& db, const ControlRequest& request, const std::vector<TaskId>& ids,
                   VerbJudge& judge, std::map<std::string, std::int64_t>& room,
                   PreviewCounter& preview) {
  for (const TaskId id : ids) {
    const std::optional<StoredTask> task = load_task(db, id);
    if (!task || judge.refuse(db, *task)) continue;
    const State state = task->row.state;
    if (!changes_something(request, state, task->queue)) continue;
    if (const std::string* entered = queue_entered(request, state, task->queue)) {
      if (--room[*entered] < 0) {
        preview.stop_at(*entered);
        return false;
      }
    }
    preview.add(id, state, task->queue);
  }
  return true;
}

}  // namespace

void Preview::add(const Preview& more) {
  count += more.count;
  for (const Count& one : more.counts) {
    const auto same = std::find_if(counts.begin(), counts.end(), [&](const Count& mine) {
      return mine.queue == one.queue && mine.state == one.state;
    });
    if (same != counts.end()) {
      same->count += one.count;
    } else {
      counts.push_back(one);
    }
  }
  first.insert(first.end(), more.first.begin(), more.first.end());
  if (first.size() > kMaxPreviewed) first.resize(kMaxPreviewed);
  if (full_queue.empty()) full_queue = more.full_queue;
}

void PreviewCounter::add(TaskId id, State state, const std::string& queue) {
  ++preview_.count;
  ++counts_[{queue, state}];
  if (preview_.first.size() < kMaxPreviewed) preview_.first.push_back(id);
}

Preview PreviewCounter::take() {
  for (const auto& [group, count] : counts_) {
    preview_.counts.push_back({group.first, group.second, count});
  }
  return std::move(preview_);
}

ControlResult StoreTasks::control_filter(const ControlRequest& request) {
  const auto read = [&](auto query) { return impl_->read(query); };
  if (request.verb == Verb::move &&
      !read([&](Connection& db) { return load_queue(db, request.queue); })) {
    return UnknownQueue{request.queue};
  }
  std::vector<ControlChange> first;
  std::size_t count = 0;
  std::optional<ControlResult> stopped;
  walk(request, read, [&](const std::vector<TaskId>& ids) {
    stopped = control_some(request, ids, count, first);
    return !stopped;
  });
  return stopped ? *std::move(stopped) : ControlResult(std::move(first));
}

// Applies the verb to these tasks in as many commits as needed. Returns why it stopped early, if it
// did.
std::optional<ControlResult> StoreTasks::control_some(const ControlRequest& request,
                                                      std::span<const TaskId> ids,
                                                      std::size_t& count,
                                                      std::vector<ControlChange>& first) {
  while (!ids.empty()) {
    const auto some = ids.first(std::min<std::size_t>(ids.size(), kBulkChunk));
    Chunk chunk = impl_->write(
        when_full(request.verb), request.actor,
        [&](Transaction& transaction) { return control_chunk(transaction, request, some); });
    if (chunk.again) continue;
    if (request.on_commit) request.on_commit(chunk.changes);
    const auto room = std::min(chunk.changes.size(), kMaxPreviewed - first.size());
    first.insert(first.end(), chunk.changes.begin(),
                 chunk.changes.begin() + static_cast<std::ptrdiff_t>(room));
    count += chunk.changes.size();
    if (chunk.unknown_queue) return UnknownQueue{request.queue};
    if (chunk.full) {
      chunk.full->changed = count;
      return *std::move(chunk.full);
    }
    ids = ids.subspan(chunk.looked_at);
  }
  return std::nullopt;
}

ControlResult StoreTasks::control_many(const ControlRequest& request,
                                       const std::vector<TaskId>& ids) {
  ControlResult looked = preview_ids(request, ids);
  if (!std::holds_alternative<Preview>(looked)) return looked;
  std::vector<TaskId> order = ids;
  // The same order as walk()
  if (request.verb == Verb::cancel) std::reverse(order.begin(), order.end());
  std::vector<ControlChange> first;
  std::size_t count = 0;
  auto stopped = control_some(request, order, count, first);
  return stopped ? *std::move(stopped) : ControlResult(std::move(first));
}

ControlResult StoreTasks::preview_filter(const ControlRequest& request) {
  const auto read = [&](auto query) { return impl_->read(query); };
  std::map<std::string, std::int64_t> room;
  for (const QueueInfo& info : read(load_queues)) {
    room[info.settings.name] = read([&](Connection& db) { return room_in(db, info); });
  }
  if (request.verb == Verb::move && !room.contains(request.queue)) {
    return UnknownQueue{request.queue};
  }
  VerbJudge judge(request);
  PreviewCounter counter;
  walk(request, read, [&](const std::vector<TaskId>& ids) {
    return read(
        [&](Connection& db) { return preview_chunk(db, request, ids, judge, room, counter); });
  });
  return counter.take();
}

std::map<State, std::int64_t> StoreTasks::unchanged(const ControlRequest& request) {
  std::map<State, std::int64_t> counts = state_counts(request.actor, request.filter->ids);
  for (const State state : states_for(request)) counts.erase(state);
  return counts;
}

}  // namespace taskd
