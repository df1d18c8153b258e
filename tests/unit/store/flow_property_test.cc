// Random histories of keys, slots, resources and dependencies, looked at after every step.
#include <rapidcheck.h>

#include <map>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

constexpr int kSlots = 4;
constexpr int kGpus = 2;
const char* const kQueues[] = {"a", "b"};
const char* const kKeys[] = {"", "x", "y"};

struct Waiting {
  std::string state;
  std::string key;
  std::string needs;
};

struct FlowHistory : Fixture {
  FlowHistory() {
    machine = {kSlots, {{"gpu", {kGpus, {"0", "1"}}}}};
    restart();
    for (const char* name : kQueues) store->set_queue(kRoot, {.name = name}, true);
  }

  void submit_one() {
    NewTask one = task(*rc::gen::inRange(0, 3));
    one.spec.queue = kQueues[*rc::gen::inRange(0, 2)];
    TaskFlow& flow = one.spec.flow;
    flow.key.name = kKeys[*rc::gen::inRange(0, 3)];
    if (!flow.key.name.empty() && *rc::gen::inRange(0, 3) == 0) {
      flow.key.limit = *rc::gen::inRange(1, 4);
      limits[flow.key.name] = *flow.key.limit;
    } else if (!flow.key.name.empty()) {
      limits.emplace(flow.key.name, kDefaultKeyLimit);
    }
    if (*rc::gen::inRange(0, 4) == 0) flow.slots = *rc::gen::inRange(1, kSlots + 1);
    if (*rc::gen::inRange(0, 4) == 0) flow.resources["gpu"] = *rc::gen::inRange(1, kGpus + 1);
    if (newest > 0 && *rc::gen::inRange(0, 4) == 0) {
      flow.depends_on = {{*rc::gen::inRange<TaskId>(1, newest + 1), DependencyOn::any}};
    }
    newest = submit(one);
  }

  void claim_all() {
    const Claims taken = store->claim(1000);
    RC_ASSERT(!taken.more);
    for (const Claim& claim : taken.claims) live[claim.task] = claim;
  }

  void end_one() {
    if (live.empty()) return;
    auto which = live.begin();
    std::advance(which, *rc::gen::inRange<std::size_t>(0, live.size()));
    finish(which->second, OutcomeKind::exited, *rc::gen::inRange(0, 2));
    live.erase(which);
  }

  void control_one() {
    if (newest == 0) return;
    const Verb verbs[] = {Verb::cancel, Verb::hold, Verb::release, Verb::retry};
    const TaskId id = *rc::gen::inRange<TaskId>(1, newest + 1);
    const Verb verb = verbs[*rc::gen::inRange(0, 4)];
    if (verb == Verb::cancel && live.contains(id)) return;  // would only be asked for
    control(verb, std::vector<TaskId>{id});
  }

  void check_limits() const {
    int slots = 0;
    int gpus = 0;
    std::map<std::string, int> keys;
    std::map<std::string, int> units;
    for (const auto& [id, claim] : live) {
      const TaskFlow& flow = claim.spec.flow;
      slots += flow.slots;
      if (!flow.key.name.empty()) ++keys[flow.key.name];
      if (!flow.resources.contains("gpu")) continue;
      gpus += static_cast<int>(flow.resources.at("gpu"));
      RC_ASSERT(std::ssize(claim.grant.at("gpu")) == flow.resources.at("gpu"));
      for (const std::string& unit : claim.grant.at("gpu")) RC_ASSERT(++units[unit] == 1);
    }
    RC_ASSERT(slots <= kSlots);
    RC_ASSERT(gpus <= kGpus);
    // A limit may have been lowered under what runs; then it is not exceeded further.
    for (const auto& [key, count] : keys) RC_ASSERT(count <= std::max(limits.at(key), most[key]));
  }

  // What waits though it may start, and would disturb nobody in front of it.
  void check_nobody_waits_in_vain() {
    SQLite::Database db = open_database();
    SQLite::Statement rows(
        db,
        "SELECT t.state, coalesce(k.name, ''), t.needs, t.blocked_on FROM tasks t"
        " LEFT JOIN keys k ON k.id = t.key_id"
        " WHERE t.state IN ('queued', 'blocked')");
    std::vector<Waiting> waiting;
    bool large_waits = false;
    while (rows.executeStep()) {
      if (rows.getColumn(3).getString() == "dependencies") continue;
      waiting.push_back({rows.getColumn(0).getString(), rows.getColumn(1).getString(),
                         rows.getColumn(2).getString()});
      large_waits |= !waiting.back().needs.empty();
    }
    if (live.empty()) RC_ASSERT(waiting.empty());
    int slots = 0;
    std::map<std::string, int> keys;
    for (const auto& [id, claim] : live) {
      slots += claim.spec.flow.slots;
      ++keys[claim.spec.flow.key.name];
    }
    if (slots == kSlots || large_waits) return;
    for (const Waiting& one : waiting) {
      RC_ASSERT(!one.key.empty());
      RC_ASSERT(keys[one.key] >= limits.at(one.key));
    }
  }

  void note_running() {
    most.clear();
    for (const auto& [id, claim] : live) ++most[claim.spec.flow.key.name];
  }

  TaskId newest = 0;
  std::map<std::string, int> limits;
  mutable std::map<std::string, int> most;  // running of each key before the step
  std::map<TaskId, Claim> live;
};

TEST_CASE("in any history no limit is exceeded, and nothing that may run waits for nothing") {
  const bool holds = rc::check([] {
    FlowHistory history;
    const int steps = *rc::gen::inRange(5, 60);
    for (int i = 0; i < steps; ++i) {
      history.note_running();
      switch (*rc::gen::inRange(0, 8)) {
        case 0:
        case 1:
        case 2:
        case 3:
          history.submit_one();
          break;
        case 4:
        case 5:
          history.end_one();
          break;
        case 6:
          history.control_one();
          break;
        default:
          if (*rc::gen::inRange(0, 10) == 0) history.restart();
      }
      history.claim_all();
      history.check_limits();
      history.check_nobody_waits_in_vain();
    }
  });
  CHECK(holds);
}

}  // namespace
}  // namespace taskd
