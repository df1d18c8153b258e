// A random history of a store and what its model makes of it: submits, ends, verbs, edits, settings
// of queues and time that passes. Every claim must be the one that the model names.
#pragma once

#include <rapidcheck.h>

#include <map>
#include <set>

#include "tests/support/memory_folder.h"
#include "tests/unit/store/fixture.h"
#include "tests/unit/store/limits_model.h"

namespace taskd {

// From `least` to below `end`, whatever the size: small histories are to be as mixed as large ones.
inline int pick(int least, int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, end));
}
inline bool one_in(int n) {
  return pick(0, n) == 0;
}
template <typename T>
T one_of(const std::vector<T>& all) {
  return all.at(static_cast<std::size_t>(pick(0, static_cast<int>(all.size()))));
}

// The store's histories are told as they go; rapidcheck shows that of one that fails.
template <typename... T>
void tell(const T&... parts) {
  RC_LOG() << '\n';
  (RC_LOG() << ... << parts);
}

class LimitsHistory : public Fixture {
 public:
  static constexpr int kSlots = 4;
  static constexpr int kGpus = 2;
  static constexpr int kMemory = 10;

  // Each has its own mix, so that those who do little of one thing do more of another.
  LimitsHistory()
      : Fixture({{.name = "mail", .on = kTheEnds}}, memory_folder()),
        has_rates(one_in(3)),
        has_keys(!one_in(3)),
        has_needs(!one_in(3)),
        has_dependencies(!one_in(3)),
        has_families(has_dependencies && one_in(25)) {
    machine = {kSlots, {{"gpu", {kGpus, {"0", "1"}}}, {"memory", {kMemory, {}}}}};
    begin_anew();
    for (const std::string& name : names_of(model.queues())) {
      store->set_queue(kRoot, {.name = name}, true);
      if (one_in(4)) set_limit(name);
      if (has_rates) set_rate(name);
    }
  }

  void begin_anew() {
    tell("a daemon starts");
    restart();
    model.begin_anew();
    look_at = clock.wall_now();
  }

  void submit_some() {
    std::vector<NewTask> tasks;
    for (int i = pick(1, 4); i > 0; --i) tasks.push_back(new_task());
    const auto submitted = std::get<Submitted>(try_submit(tasks));
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      const TaskSpec& spec = tasks[i].spec;
      tell("submit ", submitted.ids.at(i), " to ", describe(spec), tasks[i].hold ? " held" : "",
           " delay ", tasks[i].delay_ms.value_or(0));
      model.submit(submitted.ids.at(i), tasks[i]);
    }
  }

  // More depend on one task than a command looks at.
  void submit_family() {
    const std::vector<TaskId> others = latest_others();
    if (!has_families || others.empty() || heads.size() == kFamilies) return;
    heads.push_back(one_of(others));
    std::vector<NewTask> tasks;
    NewTask one = new_task();
    one.hold = false;
    one.spec.constraints.depends_on = {{heads.back(), some_on()}};
    one.spec.constraints.on_dependency_failed = some_policy();
    for (int i = pick(601, 700); i > 0; --i) {
      tasks.push_back(one);
      if (!one_in(50)) continue;
      add_dependencies(tasks.back().spec.constraints);
    }
    const auto submitted = std::get<Submitted>(try_submit(tasks));
    tell("submit ", submitted.ids.front(), " to ", submitted.ids.back(), " to ",
         describe(one.spec));
    for (std::size_t i = 0; i < tasks.size(); ++i) model.submit(submitted.ids.at(i), tasks[i]);
  }

  // One or two at once, and in the same commit others may start.
  void end_some() {
    std::vector<Finish> finishes;
    for (int i = pick(1, 3); i > 0 && !live.empty(); --i) finishes.push_back(end_one());
    if (finishes.empty()) return;
    model.settle();
    // Of a family the commit sees some alone; all of it may start only after the timer thread came.
    const int limit = heads.empty() ? pick(0, 3) : 0;
    const std::vector<FinishResult> results = store->finish(finishes, limit);
    for (const FinishResult& result : results) RC_ASSERT(result.accepted);
    check_claims(results.back().next, limit);
  }

  void control_some() {
    const Verb verb = one_of<Verb>({Verb::cancel, Verb::hold, Verb::release, Verb::release,
                                    Verb::retry, Verb::retry, Verb::retry, Verb::remove});
    const std::vector<TaskId> ids = choose_some(verb);
    if (ids.empty()) return;
    for (const TaskId id : ids) tell(to_string(verb), " ", id);
    RC_ASSERT(std::holds_alternative<std::vector<ControlChange>>(control(verb, ids)));
    model.control(verb, ids);
  }

  void move_some() {
    const std::vector<TaskId> ids = choose_some(Verb::move);
    if (ids.empty()) return;
    ControlRequest request;
    request.actor = kRoot;
    request.verb = Verb::move;
    request.ids = ids;
    request.queue = some_queue();
    RC_ASSERT(std::holds_alternative<std::vector<ControlChange>>(store->control(request)));
    for (const TaskId id : ids) {
      TaskSpec spec = model.tasks().at(id).spec;
      spec.queue = request.queue;
      tell("move ", id, " to ", spec.queue);
      model.edit(id, spec);
    }
  }

  void edit_one() {
    const std::vector<TaskId> ids = choose_some(Verb::move);
    if (ids.empty()) return;
    const Task was = get(ids.front());
    EditRequest request;
    request.actor = kRoot;
    request.task = was.id;
    request.was = was.spec;
    request.was_due_at = was.due_at;
    request.to.spec = was.spec;
    change_spec(request.to.spec);
    tell("edit ", was.id, " to ", describe(request.to.spec));
    RC_ASSERT(std::holds_alternative<Edited>(store->edit(request)));
    model.edit(was.id, request.to.spec);
  }

  void change_queue() {
    const std::string name = some_queue();
    ModelQueue& queue = model.queue(name);
    switch (has_rates ? pick(0, 9) : pick(0, 6)) {
      case 0:
      case 1:
        set_limit(name);
        break;
      case 2:
      case 3:
        queue.paused = !queue.paused;
        tell(name, queue.paused ? " is paused" : " is resumed");
        store->control_queue(kRoot, name, queue.paused ? QueueVerb::pause : QueueVerb::resume);
        break;
      case 4:
        queue.weight = pick(1, 5);
        store->set_queue(kRoot, {.name = name, .weight = queue.weight}, false);
        break;
      default:
        set_rate(name);
    }
  }

  void change_key() {
    if (model.keys().empty()) return;
    const std::string name = one_of(names_of(model.keys()));
    ModelLimits& limits = model.key(name);
    KeyPatch patch;
    patch.name = name;
    if (one_in(2)) {
      patch.limit = limits.running = some_limit();
    } else {
      limits.starts.rate = some_rate();
      patch.rate = limits.starts.rate;
    }
    tell("key ", name, " has ", describe(limits));
    RC_ASSERT(std::holds_alternative<KeyInfo>(store->set_key(kAlice, patch)));
  }

  // To the moment at which a token comes, or a little beside it.
  void pass_time() {
    const int ms = pick(1, 10) * 100 + one_of<int>({0, 0, 0, -1, 1});
    tell(ms, " ms pass");
    clock.wall_ms += ms;
    model.now_ms = clock.wall_ms;
  }

  // What the timer thread does: it looks when it said it would, or earlier where a commit asks it to.
  void keep_time() {
    for (hear(); look_at && *look_at <= clock.wall_now(); hear()) {
      constexpr int kBatch = 500;
      look_at = store->promote(clock.wall_now(), kBatch);
    }
  }

  // Some time later, so that some tasks are old enough.
  void prune() {
    clock.wall_ms += pick(0, 10) * 1000;
    model.now_ms = clock.wall_ms;
    std::set<TaskId> expected;
    for (const auto& [id, task] : model.tasks().all()) {
      if (task.phase == ModelTask::Phase::ended && task.prune_ms() <= model.now_ms) {
        expected.insert(id);
      }
    }
    keep_time();
    std::set<TaskId> pruned;
    for (bool more = true; more;) {
      const auto result = store->prune(clock.wall_now(), 50);
      for (const auto& one : result.tasks) pruned.insert(one.id);
      more = result.next && *result.next <= clock.wall_now();
    }
    for (const TaskId id : pruned) tell(id, " is pruned");
    RC_ASSERT(pruned == expected);
    model.control(Verb::remove, {pruned.begin(), pruned.end()});
  }

  void claim_all() {
    for (bool more = true; more;) {
      const int limit = pick(1, 6);
      const Claims taken = store->claim(limit);
      check_claims(taken, limit);
      more = taken.more;
    }
  }

  LimitsModel model{
      {{"slots", kSlots}, {"gpu", kGpus}, {"memory", kMemory}}, {"a", "b", "c"}, clock.wall_ms};
  std::map<TaskId, Claim> live;
  std::function<void(const Claim&)> on_start;  // after the model knows

 private:
  static constexpr std::ptrdiff_t kLatest = 6;
  static constexpr std::size_t kFamilies = 2;

  // Each is the one whose turn it was, and nothing that may run is left where there was no limit.
  void check_claims(const Claims& taken, int limit) {
    for (const Claim& claim : taken.claims) {
      tell(claim.task, " starts");
      RC_ASSERT(model.next().value_or(0) == claim.task);
      model.start(claim.task);
      live[claim.task] = claim;
      on_start(claim);
    }
    RC_ASSERT(std::ssize(taken.claims) <= limit);
    if (limit == 0) return;
    RC_ASSERT(taken.more == model.next().has_value());
    const std::optional<WallTime>& later = taken.later;
    RC_ASSERT((later ? std::optional(later->ms) : std::nullopt) == model.next_later_ms());
  }

  Finish end_one() {
    const TaskId id = one_of(model.tasks().in(ModelTask::Phase::runs));
    const Claim claim = live.at(id);
    live.erase(id);
    const bool lost = one_in(6);
    const OutcomeKind kind = lost ? OutcomeKind::lost : OutcomeKind::exited;
    const Finish finish = end_of(claim, kind, lost ? 0 : pick(0, 2));
    tell(id, lost ? " is lost" : finish.end.outcome.code == 0 ? " succeeds" : " fails");
    model.end(id, finish.end.outcome);
    return finish;
  }

  void set_limit(const std::string& queue) {
    ModelLimits& limits = model.queue(queue).limits;
    limits.running = some_limit();
    tell(queue, " has ", describe(limits));
    store->set_queue(kRoot, {.name = queue, .concurrency = limits.running}, false);
  }
  void set_rate(const std::string& queue) {
    ModelLimits& limits = model.queue(queue).limits;
    limits.starts.rate = some_rate();
    tell(queue, " has ", describe(limits));
    store->set_queue(kRoot, {.name = queue, .rate = limits.starts.rate}, false);
  }

  static std::string describe(const std::optional<RateLimit>& rate) {
    return rate ? " rate " + format_rate(*rate) : "";
  }
  static std::string describe(const ModelLimits& limits) {
    return "limit " + std::to_string(limits.running.value_or(0)) + describe(limits.starts.rate);
  }
  static std::string describe(const TaskSpec& spec) {
    const StartConstraints& constraints = spec.constraints;
    std::string text = spec.queue + " priority " + std::to_string(spec.priority) + " needs " +
                       to_stored(demand_of(constraints)) + " tries " +
                       std::to_string(spec.max_attempts);
    if (!constraints.key.name.empty())
      text += " key " + constraints.key.name + describe(constraints.key.rate);
    if (constraints.key.limit) text += " limit " + std::to_string(*constraints.key.limit);
    for (const Dependency& on : constraints.depends_on) {
      text += " after " + std::to_string(on.task) + ":" + std::string(to_string(on.on));
    }
    if (!constraints.depends_on.empty()) {
      text += " or else " + std::string(to_string(constraints.on_dependency_failed));
    }
    return text;
  }

  // Of those to which the verb applies, the latest, so that they have to do with each other.
  std::vector<TaskId> choose_some(Verb verb) const {
    std::vector<TaskId> ids;
    if (!heads.empty() && one_in(2)) {
      ids = heads;
      std::erase_if(ids, [&](TaskId id) { return !model.tasks().allows(verb, id); });
    } else {
      for (const auto& [id, task] : model.tasks().all()) {
        if (model.tasks().allows(verb, id)) ids.push_back(id);
      }
    }
    ids.erase(ids.begin(), ids.end() - std::min(kLatest, std::ssize(ids)));
    std::set<TaskId> chosen;
    for (int i = pick(1, 4); i > 0 && !ids.empty(); --i) chosen.insert(one_of(ids));
    return {chosen.begin(), chosen.end()};
  }

  NewTask new_task() const {
    NewTask one = task(pick(0, 3));
    one.spec.queue = some_queue();
    one.spec.max_lost = 1;
    one.spec.max_attempts = one_in(3) ? 2 : 1;
    one.spec.backoff = {BackoffKind::constant, 500, 500, 0};
    one.hold = one_in(10);
    if (one_in(8)) one.delay_ms = pick(1, 10) * 100;
    if (one_in(3)) one.spec.keep_ms = 0;
    if (one_in(3)) one.spec.notify = {{.hook = "mail", .on = {}}};
    add_key(one.spec.constraints);
    add_needs(one.spec.constraints);
    if (has_dependencies && !one_in(3)) add_dependencies(one.spec.constraints);
    return one;
  }
  void change_spec(TaskSpec& spec) const {
    switch (pick(0, 5)) {
      case 0:
      case 1:
        spec.priority = pick(0, 3);
        break;
      case 2:
        spec.constraints.slots = 1;
        spec.constraints.resources.clear();
        add_needs(spec.constraints);
        break;
      case 3:
        spec.constraints.key = {};
        add_key(spec.constraints);
        break;
      default:
        spec.queue = some_queue();
        spec.priority = pick(0, 3);
    }
  }
  template <typename T>
  static std::vector<std::string> names_of(const std::map<std::string, T>& all) {
    std::vector<std::string> names;
    for (const auto& [name, one] : all) names.push_back(name);
    return names;
  }
  std::string some_queue() const { return one_of(names_of(model.queues())); }
  static std::optional<int> some_limit() {
    return one_in(3) ? std::nullopt : std::optional(pick(1, 4));
  }
  static std::optional<RateLimit> some_rate() {
    if (one_in(3)) return std::nullopt;
    return RateLimit{pick(1, 5), one_of<std::int64_t>({600, 1200, 4800})};
  }
  void add_key(StartConstraints& constraints) const {
    if (!has_keys) return;
    constraints.key.name = one_of<std::string>({"", "x", "y"});
    if (constraints.key.name.empty()) return;
    if (one_in(3)) constraints.key.limit = pick(1, 4);
    if (one_in(4)) constraints.key.rate = some_rate();
  }
  void add_needs(StartConstraints& constraints) const {
    if (!has_needs) return;
    if (one_in(3)) constraints.slots = pick(1, kSlots + 1);
    if (one_in(3)) constraints.resources["gpu"] = pick(1, kGpus + 1);
    if (one_in(4)) constraints.resources["memory"] = pick(1, kMemory + 1);
  }
  std::vector<TaskId> latest_others() const {
    std::vector<TaskId> others;
    for (const auto& [id, other] : model.tasks().all()) {
      if (other.phase != ModelTask::Phase::removed) others.push_back(id);
    }
    others.erase(others.begin(), others.end() - std::min(kLatest, std::ssize(others)));
    return others;
  }
  static DependencyOn some_on() {
    using On = DependencyOn;
    return one_of<On>({On::ok, On::ok, On::any, On::failed});
  }
  static OnDependencyFailed some_policy() {
    using Policy = OnDependencyFailed;
    return one_of<Policy>({Policy::fail, Policy::fail, Policy::cancel, Policy::run});
  }
  void add_dependencies(StartConstraints& constraints) const {
    const std::vector<TaskId> others = latest_others();
    if (others.empty()) return;
    std::set<TaskId> on;
    for (int i = pick(1, 3); i > 0; --i) on.insert(one_of(others));
    for (const Dependency& old : constraints.depends_on) on.erase(old.task);
    for (const TaskId id : on) constraints.depends_on.push_back({id, some_on()});
    constraints.on_dependency_failed = some_policy();
  }

  void hear() {
    for (const Change& change : take_changes()) look_at = earlier(look_at, change.act_at);
  }

  const bool has_rates;
  const bool has_keys;
  const bool has_needs;
  const bool has_dependencies;
  const bool has_families;
  std::vector<TaskId> heads;        // on which a family depends
  std::optional<WallTime> look_at;  // when the timer thread looks next
};

}  // namespace taskd
