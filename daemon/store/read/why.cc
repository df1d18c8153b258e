// The reads behind `why`: the checks of a claim (limits/may_start.h, limits/demand.h), in the same
// order, for one task.
#include <algorithm>

#include "daemon/limits/demand.h"
#include "daemon/limits/estimate.h"
#include "daemon/limits/may_start.h"
#include "daemon/store/limits/concurrency_keys.h"
#include "daemon/store/store_impl.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxNamed = 10;
constexpr int kMaxLines = 1000;         // lines of a queue that are searched for tasks ahead
constexpr std::int64_t kHistory = 500;  // the latest ends that are considered
constexpr int kSamples = 50;            // of which at most this many in the task's queue

struct Running {
  TaskId task = 0;
  std::uint32_t uid = 0;
  std::string queue;
  std::optional<std::int64_t> key;
  Demand demand;
  Grant grant;
  WallTime started_at;
};

std::vector<Running> running_tasks(Connection& db) {
  Query rows = db.query(
      "SELECT t.id, t.queue, t.key_id, t.demand, a.granted, a.started_at_ms, t.uid"
      " FROM tasks t INDEXED BY tasks_in_state"
      " JOIN attempts a ON a.task_id = t.id AND a.number = t.attempt"
      " WHERE t.state = 'running' ORDER BY t.id");
  std::vector<Running> running;
  while (rows.step()) {
    Running& one = running.emplace_back();
    one.task = rows.int64(0);
    one.queue = rows.text(1);
    if (!rows.is_null(2)) one.key = rows.int64(2);
    one.demand = demand_from_stored(rows.view(3)).value_or(Demand());
    one.grant = grant_from_stored(rows.view(4)).value_or(Grant());
    one.started_at = rows.time(5);
    one.uid = rows.uid(6);
  }
  return running;
}

// How long the queue's latest tasks took.
std::optional<std::int64_t> usual_ms(Connection& db, const std::string& queue) {
  Query rows = db.query(
      "SELECT ended_at_ms - started_at_ms FROM (SELECT queue, started_at_ms, ended_at_ms"
      " FROM tasks INDEXED BY tasks_in_state WHERE state = 'succeeded' ORDER BY id DESC LIMIT ?1)"
      " WHERE queue = ?2 AND started_at_ms IS NOT NULL LIMIT ?3");
  rows.bind(kHistory, queue, kSamples);
  std::vector<std::int64_t> durations_ms;
  while (rows.step()) durations_ms.push_back(std::max<std::int64_t>(0, rows.int64(0)));
  return typical_ms(std::move(durations_ms));
}

// Asks why one task is not running, check by check; the first that applies is the answer.
class Inquiry {
 public:
  // `reservation`: the task that others make room for (QueueTable::reserved_task()).
  Inquiry(Connection& db, const Actor& actor, const StoredTask& task, const Machine& machine,
          TaskId reservation, WallTime now)
      : db_(db),
        actor_(actor),
        task_(task),
        machine_(machine),
        reservation_(reservation),
        now_(now),
        running_(running_tasks(db)) {}

  Why answer() {
    if (task_.row.state == State::running) return of(WaitKind::runs);
    if (is_end(task_.row.state)) return ended();
    if (task_.row.state == State::held) return held();
    if (task_.row.state == State::scheduled) return scheduled();
    if (task_.row.blocked_on == BlockedOn::dependencies) return dependencies();
    if (task_.row.blocked_on == BlockedOn::key) return key();
    return queued();
  }

 private:
  static Why of(WaitKind kind, std::string what = "") {
    Why why;
    why.kind = kind;
    why.what = std::move(what);
    return why;
  }

  template <class Predicate>
  void name_running(Why& why, Predicate concerns) const {
    for (const Running& one : running_) {
      if (!concerns(one)) continue;
      ++why.task_count;
      const bool visible = actor_.sees(one.uid);
      if (visible && why.tasks.size() < kMaxNamed) why.tasks.push_back(one.task);
    }
  }

  // Estimates the start if `places` tasks for which `concerns` holds run at once, and `why.ahead`
  // come first.
  template <class Predicate>
  void estimate(Why& why, std::int64_t places, Predicate concerns, int wide = 1) {
    const auto each_ms = usual_ms(db_, task_.queue);
    if (!each_ms) return;
    std::vector<std::int64_t> elapsed_ms;
    for (const Running& one : running_) {
      if (concerns(one)) elapsed_ms.push_back(now_ - one.started_at);
    }
    const auto start_in =
        start_in_ms(why.ahead, static_cast<int>(places), elapsed_ms, *each_ms, wide);
    if (start_in) why.expected_at = now_ + *start_in;
  }

  Why ended() {
    Why why = of(WaitKind::ended, std::string(to_string(task_.row.state)));
    if (task_.row.state == State::failed && task_.row.reason) {
      why.reason = to_string(*task_.row.reason);
      Query row = db_.query("SELECT detail FROM attempts WHERE task_id = ?1 AND number = ?2");
      if (row.bind(task_.id, task_.row.attempt).step() && !row.is_null(0)) why.error = row.text(0);
    }
    // Only for a task that never ran; otherwise they are met.
    name_links(why, /*pending=*/false);
    return why;
  }

  Why held() {
    Why why = of(WaitKind::held);
    Query row = db_.query(
        "SELECT actor_uid, at_ms FROM events INDEXED BY events_held WHERE task_id = ?1 AND "
        "to_state = 'held'"
        " ORDER BY seq DESC LIMIT 1");
    if (row.bind(task_.id).step() && !row.is_null(0)) why.by = row.uid(0);
    return why;
  }

  Why scheduled() {
    Why why =
        of(task_.row.tries > 0 || task_.row.start_failures > 0 ? WaitKind::retry : WaitKind::delay);
    why.until = task_.row.due_at;
    why.expected_at = why.until;
    return why;
  }

  Why dependencies() {
    Why why = of(WaitKind::dependencies);
    name_links(why, /*pending=*/true);
    return why;
  }

  // Names the open links: the pending ones, or those that cannot be met.
  void name_links(Why& why, bool pending) {
    Query rows = db_.query(
        "SELECT on_task FROM dependencies INDEXED BY dependencies_open WHERE task_id = ?1"
        " AND state <> 'met' AND (state = 'pending') = ?2 ORDER BY on_task");
    rows.bind(task_.id, pending ? 1 : 0);
    while (rows.step()) {
      ++why.task_count;
      if (why.tasks.size() < kMaxNamed) why.tasks.push_back(std::abs(rows.int64(0)));
    }
  }

  Why key() {
    const std::optional<StoredKey> stored = load_key(db_, task_.key.value_or(0));
    if (!stored) return of(WaitKind::turn);
    Why why = of(WaitKind::key_busy, stored->name);
    const auto has_key = [&](const Running& one) { return one.key == task_.key; };
    name_running(why, has_key);
    const std::int64_t running = why.task_count;
    name_queued_of_key(why);
    why.ahead = ahead_in_key() + why.task_count - running;
    if (!allowance_of(db_, *stored, now_).by_rate) {
      estimate(why, stored->concurrency.value_or(kMaxAhead), has_key);
      return why;
    }
    why.kind = WaitKind::key_rate;
    why.tasks.clear();
    why.task_count = 0;
    why.until = next_start(*stored->rate, stored->starts, now_);
    // The tasks ahead take the next starts.
    why.expected_at = next_start(*stored->rate, stored->starts, now_, why.ahead);
    return why;
  }

  Why queued() {
    const Demand& demand = task_.demand;
    if (const auto unmet = find_unmet(machine_, demand)) return of(WaitKind::never_fits, *unmet);
    Query row = db_.query(
        "SELECT name, capacity, concurrency, weight, rate_count, rate_per_ms, rate_burst, "
        "paused_at_ms,"
        " paused_by, paused_reason, draining, notify, defaults, rate_full_at_ns, rate_starts FROM "
        "queues"
        " WHERE name = ?1");
    if (!row.bind(task_.queue).step()) return of(WaitKind::turn);
    QueueInfo queue = read_queue(row);
    const RecentStarts starts = read_starts(row, 13);
    const auto in_queue = [&](const Running& one) { return one.queue == queue.settings.name; };
    queue.count(State::running) = std::count_if(running_.begin(), running_.end(), in_queue);
    const auto limit = find_queue_limit(queue, starts, now_);
    if (!limit) return machine(demand, ahead_in_queue());
    Why why = of(WaitKind::queue_busy, queue.settings.name);
    if (limit->kind == QueueLimit::Kind::paused) {
      why.kind = WaitKind::queue_paused;
      why.by = queue.paused->uid;
      why.reason = queue.paused->reason;
      return why;
    }
    why.ahead = ahead_in_queue();
    if (limit->kind == QueueLimit::Kind::rate) {
      why.kind = WaitKind::queue_rate;
      why.until = limit->until;
      why.expected_at = next_start(*queue.settings.rate, starts, now_, why.ahead);
      return why;
    }
    name_running(why, in_queue);
    estimate(why, *queue.settings.concurrency, in_queue);
    return why;
  }

  Why machine(const Demand& demand, std::int64_t ahead) {
    FreeCapacity free_capacity(machine_);
    Allocation use;
    for (const Running& one : running_) use.add(one.demand, one.grant);
    free_capacity.take(use);
    const auto anything = [](const Running&) { return true; };
    for (const auto& [name, amount] : demand.resources) {
      Demand alone;
      alone.slots = 0;
      alone.resources[name] = amount;
      if (free_capacity.fits(alone)) continue;
      Why why = of(WaitKind::resource, name);
      why.ahead = ahead;
      const auto has_it = [&, &wanted = name](const Running& one) {
        return one.demand.resources.contains(wanted);
      };
      name_running(why, has_it);
      for (const Running& one : running_) {
        const auto units = one.grant.find(name);
        if (units == one.grant.end()) continue;
        why.units.insert(why.units.end(), units->second.begin(), units->second.end());
      }
      estimate(why, why.task_count, has_it);
      return why;
    }
    Demand slots;
    slots.slots = demand.slots;
    const bool has_room = free_capacity.fits(slots);
    if (has_room) {
      if (auto why = kept(free_capacity, demand)) {
        why->ahead = ahead;
        return *std::move(why);
      }
    }
    Why why = of(has_room ? WaitKind::turn : WaitKind::slots);
    why.ahead = ahead;
    name_running(why, anything);
    estimate(why, machine_.slots, anything, demand.slots);
    return why;
  }

  // The task fits, but would use what the reserved task waits for.
  std::optional<Why> kept(FreeCapacity free_capacity, const Demand& demand) const {
    if (reservation_ == 0 || reservation_ == task_.id) return std::nullopt;
    const std::optional<StoredTask> reservation = load_task(db_, reservation_);
    if (!reservation || reservation->row.state != State::queued) return std::nullopt;
    const Demand& first = reservation->demand;
    if (free_capacity.fits(first)) return std::nullopt;  // it starts at once
    free_capacity.keep(first);
    if (free_capacity.fits(demand)) return std::nullopt;
    Why why = of(WaitKind::kept);
    for (const auto& [name, amount] : demand.resources) {
      Demand alone;
      alone.slots = 0;
      alone.resources[name] = amount;
      if (why.what.empty() && !free_capacity.fits(alone)) why.what = name;
    }
    why.task_count = 1;
    if (actor_.sees(reservation->uid)) why.tasks = {reservation_};
    return why;
  }

  // These use the key's places, too, and wait for a worker.
  void name_queued_of_key(Why& why) {
    Query rows = db_.query(
        "SELECT id, uid FROM tasks INDEXED BY tasks_active_of_key WHERE key_id = ?1"
        " AND state = 'queued' ORDER BY id LIMIT ?2");
    rows.bind(task_.key, kMaxAhead);
    while (rows.step()) {
      ++why.task_count;
      const bool visible = actor_.sees(rows.uid(1));
      if (visible && why.tasks.size() < kMaxNamed) why.tasks.push_back(rows.int64(0));
    }
  }

  // Counts more urgent tasks, and equally urgent older ones, in two queries: an index is read from
  // its start to the bound only.
  std::int64_t ahead_in_key() {
    Query row = db_.query(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
        "  WHERE key_id = ?1 AND state = 'blocked' AND queue = ?2 AND blocked_on = 'key' AND "
        "priority > ?3 LIMIT ?5))"
        " + (SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_active_of_key"
        "  WHERE key_id = ?1 AND state = 'blocked' AND queue = ?2 AND blocked_on = 'key' AND "
        "priority = ?3 AND id < ?4"
        "  LIMIT ?5))");
    row.bind(task_.key, task_.queue, task_.priority, task_.id, kMaxAhead).step();
    return std::min(row.int64(0), kMaxAhead);
  }

  // Line by line, as in the index.
  std::int64_t ahead_in_queue() {
    std::int64_t ahead = 0;
    std::optional<std::string> demand = "";
    for (int lines = 0; demand && lines < kMaxLines && ahead < kMaxAhead; ++lines) {
      ahead += ahead_in_line(*demand);
      demand = next_demand(db_, task_.queue, *demand);
    }
    return std::min(ahead, kMaxAhead);
  }
  std::int64_t ahead_in_line(const std::string& demand) {
    Query row = db_.query(
        "SELECT (SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_ready"
        "  WHERE state = 'queued' AND queue = ?1 AND demand = ?2 AND priority > ?3 LIMIT ?5))"
        " + (SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_ready"
        "  WHERE state = 'queued' AND queue = ?1 AND demand = ?2 AND priority = ?3 AND id < ?4"
        "  LIMIT ?5))");
    row.bind(task_.queue, demand, task_.priority, task_.id, kMaxAhead).step();
    return row.int64(0);
  }

  Connection& db_;
  const Actor& actor_;
  const StoredTask& task_;
  const Machine& machine_;
  const TaskId reservation_;
  const WallTime now_;
  const std::vector<Running> running_;
};

}  // namespace

std::optional<std::int64_t> StoreQueues::room_in_ms(const std::string& queue, std::int64_t count) {
  const auto info = this->queue(queue);
  if (!info || info->paused || count < 1) return std::nullopt;
  const WallTime now = impl_->options.clock->wall_now();
  const auto& concurrency = info->settings.concurrency;
  const auto start_in = impl_->read([&](Connection& db) -> std::optional<std::int64_t> {
    const auto each_ms = usual_ms(db, queue);
    if (!each_ms) return std::nullopt;
    std::vector<std::int64_t> elapsed_ms;
    for (const Running& one : running_tasks(db)) {
      if (!concurrency || one.queue == queue) elapsed_ms.push_back(now - one.started_at);
    }
    const std::int64_t places =
        concurrency.value_or(static_cast<int>(impl_->options.machine.slots));
    return start_in_ms(count - 1, static_cast<int>(places), elapsed_ms, *each_ms);
  });
  const auto& rate = info->settings.rate;
  if (!rate) return start_in;
  const std::int64_t by_rate_ms = (count * rate->per_ms + rate->count - 1) / rate->count;
  return std::max(by_rate_ms, start_in.value_or(0));
}

std::optional<Why> StoreTasks::why(const Actor& actor, TaskId id) {
  return impl_->read([&](Connection& db) -> std::optional<Why> {
    const std::optional<StoredTask> task = load_task(db, id);
    if (!task || !actor.sees(task->uid)) return std::nullopt;
    return Inquiry(db, actor, *task, impl_->options.machine, impl_->writer.reserved_task(),
                   impl_->options.clock->wall_now())
        .answer();
  });
}

}  // namespace taskd
