// Random histories of keys, slots, resources and dependencies, looked at after every step.
#include <rapidcheck.h>

#include <map>

#include "tests/unit/store/fixture.h"
#include "tests/unit/store/flow_model.h"

namespace taskd {
namespace {

constexpr int kSlots = 4;
constexpr int kGpus = 2;
constexpr int kMemory = 10;
const char* const kKeys[] = {"", "x", "y"};
const std::map<std::string, int> kWeights{{"a", 1}, {"b", 3}};

// From `least` to below `end`, whatever the size: small histories are to be as mixed as large ones.
int pick(int least, int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, end));
}
template <typename T>
T one_of(const std::vector<T>& all) {
  return all.at(static_cast<std::size_t>(pick(0, static_cast<int>(all.size()))));
}
// So that those that are chosen have to do with each other.
void keep_latest(std::vector<TaskId>& ids) {
  constexpr std::ptrdiff_t kLatest = 6;
  ids.erase(ids.begin(), ids.end() - std::min(kLatest, std::ssize(ids)));
}
bool one_in(int n) {
  return pick(0, n) == 0;
}

struct FlowHistory : Fixture {
  FlowHistory() {
    machine = {kSlots, {{"gpu", {kGpus, {"0", "1"}}}, {"memory", {kMemory, {}}}}};
    restart();
    for (const auto& [name, weight] : kWeights) {
      store->set_queue(kRoot, {.name = name, .weight = weight}, true);
    }
  }

  void begin_anew() {
    restart();
    model.begin_anew();
    making_room.reset();
  }

  void submit_some() {
    std::vector<NewTask> tasks;
    for (int i = pick(1, 4); i > 0; --i) tasks.push_back(new_task());
    const auto submitted = std::get<Submitted>(try_submit(tasks));
    for (std::size_t i = 0; i < tasks.size(); ++i) model.submit(submitted.ids.at(i), tasks[i]);
  }
  NewTask new_task() const {
    NewTask one = task(pick(0, 3));
    one.spec.queue = one_of<std::string>({"a", "b"});
    one.spec.max_lost = 1;
    one.hold = one_in(10);
    add_key(one.spec.flow);
    add_needs(one.spec.flow);
    if (one_in(2)) add_dependencies(one.spec.flow);
    return one;
  }
  static void add_key(TaskFlow& flow) {
    flow.key.name = kKeys[pick(0, 3)];
    if (!flow.key.name.empty() && one_in(3)) flow.key.limit = pick(1, 4);
  }
  static void add_needs(TaskFlow& flow) {
    if (one_in(3)) flow.slots = pick(1, kSlots + 1);
    if (one_in(3)) flow.resources["gpu"] = pick(1, kGpus + 1);
    if (one_in(4)) flow.resources["memory"] = pick(1, kMemory + 1);
  }
  void add_dependencies(TaskFlow& flow) const {
    std::vector<TaskId> others;
    for (const auto& [id, other] : model.tasks()) {
      if (other.phase != ModelTask::Phase::removed) others.push_back(id);
    }
    if (others.empty()) return;
    keep_latest(others);
    std::set<TaskId> on;
    for (int i = pick(1, 3); i > 0; --i) on.insert(one_of(others));
    using On = DependencyOn;
    for (const TaskId id : on) {
      flow.depends_on.push_back({id, one_of<On>({On::ok, On::ok, On::any, On::failed})});
    }
    using Policy = OnDependencyFailed;
    flow.on_dependency_failed =
        one_of<Policy>({Policy::fail, Policy::fail, Policy::cancel, Policy::run});
  }

  // One or two at once, and in the same commit others may start.
  void end_some() {
    std::vector<Finish> finishes;
    for (int i = pick(1, 3); i > 0 && !live.empty(); --i) {
      finishes.push_back(end_one());
    }
    if (finishes.empty()) return;
    model.settle();
    const int limit = pick(0, 3);
    const std::vector<FinishResult> results = store->finish(finishes, limit);
    for (const FinishResult& result : results) RC_ASSERT(result.accepted);
    check_claims(results.back().next, limit);
  }
  Finish end_one() {
    std::vector<TaskId> ids = model.in(ModelTask::Phase::runs);
    const TaskId id = one_of(ids);
    const Claim claim = live.at(id);
    live.erase(id);
    if (making_room) making_room->before.erase(id);
    if (one_in(6)) {
      model.lose(id);
      return end_of(claim, OutcomeKind::lost);
    }
    const bool fails = one_in(2);
    model.finish(id, fails ? State::failed : State::succeeded);
    return end_of(claim, OutcomeKind::exited, fails ? 1 : 0);
  }

  void control_some() {
    const Verb verb = one_of<Verb>({Verb::cancel, Verb::hold, Verb::release, Verb::retry,
                                    Verb::retry, Verb::retry, Verb::remove});
    std::vector<TaskId> allowed;
    for (const auto& [id, task] : model.tasks()) {
      if (model.allows(verb, id)) allowed.push_back(id);
    }
    if (allowed.empty()) return;
    keep_latest(allowed);
    std::set<TaskId> ids;
    for (int i = pick(1, 4); i > 0; --i) ids.insert(one_of(allowed));
    const std::vector<TaskId> list(ids.begin(), ids.end());
    RC_ASSERT(std::holds_alternative<std::vector<ControlChange>>(control(verb, list)));
    model.control(verb, list);
  }

  void claim_all() {
    for (bool more = true; more;) {
      const int limit = pick(1, 6);
      const Claims taken = store->claim(limit);
      check_claims(taken, limit);
      more = taken.more;
    }
  }
  // Each is the one whose turn it was, and nothing that may run is left where there was no limit.
  void check_claims(const Claims& taken, int limit) {
    for (const Claim& claim : taken.claims) {
      RC_ASSERT(model.next().value_or(0) == claim.task);
      model.start(claim.task);
      live[claim.task] = claim;
    }
    RC_ASSERT(std::ssize(taken.claims) <= limit);
    if (limit > 0) RC_ASSERT(taken.more == model.next().has_value());
  }

  // What a task is, as a word or two.
  std::map<TaskId, std::string> expected_rows() const {
    std::map<TaskId, std::string> rows;
    for (const auto& [id, task] : model.tasks()) {
      if (task.phase == ModelTask::Phase::held) rows[id] = "held";
      if (task.phase == ModelTask::Phase::runs) rows[id] = "running";
      if (task.phase == ModelTask::Phase::waits) {
        rows[id] = model.is_blocked(task) ? "blocked dependencies" : "blocked key";
      }
      if (task.phase != ModelTask::Phase::ended) continue;
      rows[id] = to_string(task.end);
      if (task.doomed && task.end == State::failed) rows[id] += " dependency";
    }
    for (const auto& [queue, weight] : kWeights) {
      for (const ModelTask* task : model.line(queue)) rows[task->id] = "queued";
    }
    return rows;
  }
  void check_rows() const {
    SQLite::Database db = open_database();
    SQLite::Statement row(db,
                          "SELECT id, state || coalesce(' ' || blocked_on, '')"
                          " || iif(reason = 'dependency', ' dependency', '') FROM tasks");
    std::map<TaskId, std::string> rows;
    while (row.executeStep()) rows[row.getColumn(0).getInt64()] = row.getColumn(1).getString();
    RC_ASSERT(rows == expected_rows());
  }

  void check_limits() const {
    Amounts taken{{"slots", 0}, {"gpu", 0}, {"memory", 0}};
    std::map<std::string, int> keys;
    std::map<std::string, int> units;
    for (const auto& [id, claim] : live) {
      const TaskFlow& flow = claim.spec.flow;
      if (!flow.key.name.empty()) ++keys[flow.key.name];
      taken["slots"] += flow.slots;
      for (const auto& [resource, amount] : flow.resources) taken[resource] += amount;
      if (!flow.resources.contains("gpu")) continue;
      RC_ASSERT(std::ssize(claim.grant.at("gpu")) == flow.resources.at("gpu"));
      for (const std::string& unit : claim.grant.at("gpu")) RC_ASSERT(++units[unit] == 1);
    }
    RC_ASSERT(taken["slots"] <= kSlots);
    RC_ASSERT(taken["gpu"] <= kGpus);
    RC_ASSERT(taken["memory"] <= kMemory);
    // A limit may have been lowered under what runs; then it is not exceeded further.
    for (const auto& [key, count] : keys) {
      const auto before = most.find(key);
      RC_ASSERT(count <= std::max(model.limit_of(key), before == most.end() ? 0 : before->second));
    }
  }
  void note_running() {
    most.clear();
    for (const auto& [id, claim] : live) ++most[claim.spec.flow.key.name];
  }

  // The rule itself: it keeps nothing that may run from an idle machine, nor, while nobody waits
  // for more than a slot, from a free one.
  void check_nobody_waits_in_vain() const {
    bool some_wait = false;
    bool some_need = false;
    for (const auto& [queue, weight] : kWeights) {
      for (const ModelTask* task : model.line(queue)) {
        some_wait = true;
        some_need |= task->needs() != Amounts{{"slots", 1}};
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
    if (!same || has != making_room->has_resources) {
      const std::vector<TaskId> running = model.in(ModelTask::Phase::runs);
      making_room = {front->number, has, {running.begin(), running.end()}};
    }
    RC_ASSERT(!making_room->before.empty());
  }

  struct MakingRoom {
    int front;
    bool has_resources;
    std::set<TaskId> before;  // still run
  };
  FlowModel model{{{"slots", kSlots}, {"gpu", kGpus}, {"memory", kMemory}}, kWeights};
  std::map<TaskId, Claim> live;
  std::map<std::string, int> most;  // running of each key before the step
  std::optional<MakingRoom> making_room;
};

TEST_CASE("in any history no limit is exceeded, and nothing that may run waits for nothing") {
  const bool holds = rc::check([] {
    FlowHistory history;
    const int steps = pick(10, 40);
    for (int i = 0; i < steps; ++i) {
      history.note_running();
      switch (pick(0, 9)) {
        case 0:
        case 1:
        case 2:
          history.submit_some();
          break;
        case 3:
        case 4:
        case 5:
          history.end_some();
          break;
        case 6:
        case 7:
          history.control_some();
          break;
        default:
          if (one_in(4)) history.begin_anew();
      }
      history.claim_all();
      history.check_rows();
      history.check_limits();
      history.check_nobody_waits_in_vain();
      history.check_front_gets_its_turn();
    }
  });
  CHECK(holds);
}

}  // namespace
}  // namespace taskd
