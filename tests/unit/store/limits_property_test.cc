// Random histories of queues, keys, slots, resources and dependencies, looked at after every step.
#include <rapidcheck.h>

#include <map>

#include "tests/unit/store/limits_history.h"

namespace taskd {
namespace {

struct CheckedHistory : LimitsHistory {
  CheckedHistory() {
    on_start = [this](const Claim& claim) { check_rates(claim.spec); };
    for (const Event& event : events) total += event.weight;
  }

  void step() {
    note_running();
    int which = pick(0, total);
    for (const auto& [weight, happen] : events) {
      which -= weight;
      if (which >= 0) continue;
      happen();
      break;
    }
    keep_time();
    claim_all();
    check_rows();
    check_ends();
    check_limits();
    check_nobody_waits_in_vain();
    check_front_gets_its_turn();
  }

 private:
  struct Rate {
    std::optional<RateLimit> limit;
    std::vector<std::int64_t> starts_ms;  // since it is that
  };
  struct Event {
    int weight;  // among the others
    std::function<void()> happen;
  };
  std::vector<Event> mix() {
    return {
        {pick(2, 5), [this] { submit_some(); }},    {pick(2, 5), [this] { end_some(); }},
        {pick(0, 5), [this] { control_some(); }},   {pick(0, 4), [this] { change_queue(); }},
        {pick(0, 3), [this] { change_key(); }},     {pick(0, 4), [this] { pass_time(); }},
        {pick(0, 2), [this] { change_waiting(); }}, {pick(0, 2), [this] { begin_anew(); }},
        {pick(0, 2), [this] { prune(); }},          {pick(0, 2), [this] { submit_family(); }},
    };
  }
  void change_waiting() {
    one_in(2) ? edit_one() : move_some();
    making_room.reset();  // who is in front may need other things now
  }

  // What a task is, as a word or two.
  std::string expected_row(const ModelTask& task) const {
    switch (task.phase) {
      case ModelTask::Phase::waits:
        if (task.is_blocked()) return "blocked dependencies";
        return task.due_ms > model.now_ms ? "scheduled" : "blocked key";
      case ModelTask::Phase::held:
        return "held";
      case ModelTask::Phase::runs:
        return "running";
      default:
        return std::string(to_string(task.end)) +
               (task.by_links && task.end == State::failed ? " dependency" : "");
    }
  }
  void check_rows() const {
    std::map<TaskId, std::string> expected;
    for (const auto& [id, task] : model.tasks().all()) {
      if (task.phase != ModelTask::Phase::removed) expected[id] = expected_row(task);
    }
    for (const auto& [name, queue] : model.queues()) {
      for (const ModelTask* task : model.line(name)) expected[task->id] = "queued";
    }
    SQLite::Statement row(rows_db,
                          "SELECT id, state || coalesce(' ' || blocked_on, '')"
                          " || iif(reason = 'dependency', ' dependency', '') FROM tasks");
    std::map<TaskId, std::string> rows;
    while (row.executeStep()) rows[row.getColumn(0).getInt64()] = row.getColumn(1).getString();
    RC_ASSERT(rows == expected);
  }

  // Each end is one event, with its time in the row, and hooks are told of it once.
  void check_ends() {
    read_new(R"(SELECT seq, task_id, to_state || ' ' || at_ms FROM events WHERE seq > ?1
                AND to_state IN ('succeeded', 'failed', 'cancelled') AND from_state <> to_state)",
             last_event, ends);
    read_new("SELECT seq, task_id, event || ' ' || at_ms FROM deliveries WHERE seq > ?1",
             last_delivery, told);
    std::map<TaskId, std::int64_t> ended_ms;
    for (SQLite::Statement row(rows_db, "SELECT id, coalesce(ended_at_ms, 0) FROM tasks");
         row.executeStep();) {
      ended_ms[row.getColumn(0).getInt64()] = row.getColumn(1).getInt64();
    }
    for (const auto& [id, task] : model.tasks().all()) {
      RC_ASSERT(ends[id] == task.ends);
      RC_ASSERT(told[id] == (task.spec.notify.empty() ? Words() : task.ends));
      if (task.phase == ModelTask::Phase::removed) continue;
      RC_ASSERT(ended_ms.at(id) == (task.has_ended() ? task.ended_ms : 0));
    }
  }
  using Words = std::vector<std::string>;
  void read_new(const char* sql, std::int64_t& last, std::map<TaskId, Words>& words) {
    SQLite::Statement row(rows_db, std::string(sql) + " ORDER BY seq");
    row.bind(1, last);
    while (row.executeStep()) {
      last = row.getColumn(0).getInt64();
      words[row.getColumn(1).getInt64()].push_back(row.getColumn(2).getString());
    }
  }

  // By queue and by key.
  static std::vector<std::string> groups_of(const TaskSpec& spec) {
    std::vector<std::string> groups{"queue " + spec.queue};
    if (!spec.constraints.key.name.empty()) groups.push_back("key " + spec.constraints.key.name);
    return groups;
  }
  std::map<std::string, ModelLimits> all_limits() const {
    std::map<std::string, ModelLimits> all;
    for (const auto& [name, queue] : model.queues()) all["queue " + name] = queue.limits;
    for (const auto& [name, limits] : model.keys()) all["key " + name] = limits;
    return all;
  }
  std::map<std::string, int> running() const {
    std::map<std::string, int> running;
    for (const auto& [id, claim] : live) {
      for (const std::string& group : groups_of(claim.spec)) ++running[group];
    }
    return running;
  }
  void note_running() { most = running(); }

  void check_limits() {
    Amounts taken{{"slots", 0}, {"gpu", 0}, {"memory", 0}};
    std::map<std::string, int> units;
    for (const auto& [id, claim] : live) {
      const StartConstraints& constraints = claim.spec.constraints;
      taken["slots"] += constraints.slots;
      for (const auto& [resource, amount] : constraints.resources) taken[resource] += amount;
      if (!constraints.resources.contains("gpu")) continue;
      RC_ASSERT(std::ssize(claim.grant.at("gpu")) == constraints.resources.at("gpu"));
      for (const std::string& unit : claim.grant.at("gpu")) RC_ASSERT(++units[unit] == 1);
    }
    RC_ASSERT(taken["slots"] <= kSlots);
    RC_ASSERT(taken["gpu"] <= kGpus);
    RC_ASSERT(taken["memory"] <= kMemory);
    // A limit may have been lowered under what runs; then it is not exceeded further.
    const std::map<std::string, ModelLimits> limits = all_limits();
    for (const auto& [group, count] : running()) {
      if (const auto& limit = limits.at(group).running) {
        RC_ASSERT(count <= std::max(*limit, most[group]));
      }
    }
    std::erase_if(rates, [&](const auto& rate) { return !limits.contains(rate.first); });
    for (const auto& [group, limit] : limits) rate_of(group, limit.starts.rate);
  }

  // Once it is another, starts are counted anew.
  Rate& rate_of(const std::string& group, const std::optional<RateLimit>& limit) {
    Rate& rate = rates[group];
    if (rate.limit != limit) rate = {limit, {}};
    return rate;
  }
  // At each start: never more than the count in the interval that ends now.
  void check_rates(const TaskSpec& spec) {
    const std::map<std::string, ModelLimits> limits = all_limits();
    for (const std::string& group : groups_of(spec)) {
      const auto& rate = limits.at(group).starts.rate;
      Rate& seen = rate_of(group, rate);
      if (!rate) continue;
      seen.starts_ms.push_back(model.now_ms);
      RC_ASSERT(std::count_if(seen.starts_ms.begin(), seen.starts_ms.end(), [&](auto at_ms) {
                  return at_ms > model.now_ms - rate->per_ms;
                }) <= rate->count);
    }
  }

  // The rule itself: it keeps nothing that may run from an idle machine, nor, while nobody waits
  // for more than a slot, from a free one.
  void check_nobody_waits_in_vain() const {
    bool some_wait = false;
    bool some_need = false;
    for (const auto& [name, queue] : model.queues()) {
      if (!model.may_start(name)) continue;
      for (const ModelTask* task : model.line(name)) {
        some_wait = true;
        some_need |= task->demand() != Amounts{{"slots", 1}};
      }
    }
    if (live.empty()) RC_ASSERT(!some_wait);
    if (some_wait && !some_need) RC_ASSERT(model.free().at("slots") == 0);
  }

  // Who is in front of all waits for the resources of those that ran as it came there, then for the
  // slots of those that run by then, and for nobody who starts after them.
  void check_front_gets_its_turn() {
    const auto& front = model.front();
    if (!front) return making_room.reset();
    const bool has = model.has_resources(front->task);
    const bool same = making_room && making_room->front == front->number;
    if (same && making_room->has_resources) RC_ASSERT(has);
    if (!same || has != making_room->has_resources) making_room = {front->number, has, attempts()};
    std::erase_if(making_room->before,
                  [this](const auto& one) { return !attempts().contains(one); });
    RC_ASSERT(!making_room->before.empty());
  }
  std::set<std::pair<TaskId, int>> attempts() const {
    std::set<std::pair<TaskId, int>> attempts;
    for (const auto& [id, claim] : live) attempts.emplace(id, claim.attempt);
    return attempts;
  }

  const std::vector<Event> events = mix();
  int total = 0;  // of their weights
  SQLite::Database rows_db = open_database();
  struct MakingRoom {
    int front;
    bool has_resources;
    std::set<std::pair<TaskId, int>> before;  // still run
  };
  std::int64_t last_event = 0;
  std::int64_t last_delivery = 0;
  std::map<TaskId, Words> ends;  // by events
  std::map<TaskId, Words> told;  // by deliveries
  std::optional<MakingRoom> making_room;
  std::map<std::string, int> most;    // running of each queue and key before the step
  std::map<std::string, Rate> rates;  // of each queue and key
};

TEST_CASE("in any history no limit is exceeded, and nothing that may run waits for nothing") {
  const bool holds = rc::check([] {
    CheckedHistory history;
    const int steps = pick(10, 60);
    for (int i = 0; i < steps; ++i) history.step();
  });
  CHECK(holds);
}

}  // namespace
}  // namespace taskd
