
#include <algorithm>
#include <map>
#include <random>

#include "daemon/store/read/selection.h"
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

template <class T>
bool has(const std::vector<T>& list, T one) {
  return std::find(list.begin(), list.end(), one) != list.end();
}

// What a filter means, said once more.
bool is_meant(const Filter& filter, const Task& task) {
  const auto is_not = [](const auto& wanted, const auto& value) {
    return wanted && *wanted != value;
  };
  if (!filter.states.empty() && !has(filter.states, task.state)) return false;
  if (!filter.reasons.empty() && (!task.reason || !has(filter.reasons, *task.reason))) return false;
  if (is_not(filter.uid, task.uid) || is_not(filter.queue, task.spec.queue)) return false;
  if (is_not(filter.name, task.spec.name) || is_not(filter.key, task.spec.constraints.key.name))
    return false;
  const auto has_id = [&](const IdRange& ids) {
    return ids.first <= task.id && task.id <= ids.last;
  };
  if (!filter.ids.empty() && std::none_of(filter.ids.begin(), filter.ids.end(), has_id)) {
    return false;
  }
  if (is_not(filter.workflow, task.workflow ? task.workflow->id : 0)) return false;
  for (const auto& [key, value] : filter.labels) {
    if (!task.spec.labels.contains(key) || task.spec.labels.at(key) != value) return false;
  }
  if (filter.since && task.created_at < *filter.since) return false;
  if (filter.until && task.created_at >= *filter.until) return false;
  if (filter.ended_since && (!task.ended_at || *task.ended_at < *filter.ended_since)) return false;
  return !filter.ended_before || (task.ended_at && *task.ended_at < *filter.ended_before);
}

// A store with a history of all that filters look at, the clock put back now and then.
struct HistoryFixture : Fixture {
  explicit HistoryFixture(unsigned seed) : random(seed) {
    const QueuePatch queue{.name = "mail"};
    store->configure_queues({&queue, 1});
    for (int i = 0; i < 250; ++i) step();
  }

  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random); }
  bool chance(int percent) { return pick(100) < percent; }
  TaskId pick_id() { return pick(static_cast<int>(store->newest_id()) + 2); }

  void step() {
    clock.wall_ms += pick(40) == 0 ? -5000 : pick(200);
    switch (pick(6)) {
      case 0:
      case 1:
        submit_some();
        break;
      case 2:
      case 3:
        end_some();
        break;
      case 4:
        control(static_cast<Verb>(pick(4)), Ids{pick_id()}, kRoot);
        break;
      default:
        if (chance(30)) control(Verb::remove, Ids{pick_id()}, kRoot);
        break;
    }
  }

  void submit_some() {
    SubmitRequest request;
    request.actor = chance(50) ? kAlice : kBob;
    for (int n = 1 + pick(3); n > 0; --n) {
      NewTask task = Fixture::task(pick(3));
      task.spec.queue = chance(40) ? "mail" : "default";
      task.spec.name = std::vector<std::string>{"", "a", "b"}.at(static_cast<std::size_t>(pick(3)));
      if (chance(30)) task.spec.labels = {{"k", std::to_string(pick(2))}, {"all", "yes"}};
      if (chance(30)) task.spec.constraints.key.name = "key" + std::to_string(pick(2));
      task.spec.max_attempts = 1 + pick(2);
      task.spec.on_lost = chance(50) ? OnLost::fail : OnLost::rerun;
      task.hold = chance(10);
      if (chance(10)) task.delay_ms = 10'000;
      request.tasks.push_back(task);
    }
    if (chance(20)) {
      request.workflow = "w";
      for (std::size_t i = 0; i < request.tasks.size(); ++i) {
        StepOf step{.name = std::to_string(i), .needs = {}};
        if (i > 0) step.needs = {{.step = i - 1, .on = DependencyOn::ok}};
        request.steps.push_back(step);
      }
    } else if (chance(20)) {
      request.tasks.resize(1);
      request.tasks[0].spec.constraints.key = {};
      request.tasks[0].array = ArrayRange{.first = 1, .last = 3};
    }
    store->submit(request);
  }

  void end_some() {
    const OutcomeKind kinds[] = {OutcomeKind::exited, OutcomeKind::exited, OutcomeKind::timed_out,
                                 OutcomeKind::oom_killed, OutcomeKind::lost};
    for (const Claim& claim : store->claim(2).claims) {
      if (chance(85)) finish(claim, kinds[pick(5)], pick(2));
    }
  }

  WallTime pick_time() { return {1'700'000'000'000 + pick(25'000)}; }

  Filter pick_filter() {
    Filter filter;
    const std::vector<Task> tasks = all();
    const Task& one = tasks.at(static_cast<std::size_t>(pick(static_cast<int>(tasks.size()))));
    for (const State state : kAllStates) {
      if (chance(8)) filter.states.push_back(state);
    }
    if (chance(20)) filter.queue = one.spec.queue;
    if (chance(20)) filter.name = one.spec.name;
    if (chance(10)) filter.uid = one.uid;
    if (chance(10)) filter.ids = {{2, one.id}, {one.id + 2, one.id + 9}};
    if (chance(10)) filter.workflow = one.workflow ? one.workflow->id : 1;
    if (chance(15)) filter.labels = {{"all", "yes"}};
    if (chance(5)) filter.labels.emplace_back("k", "1");
    if (chance(15)) filter.key = "key1";
    if (chance(15)) filter.reasons = chance(50) ? dead_reasons() : std::vector{Reason::dependency};
    if (chance(25)) filter.since = chance(50) ? one.created_at : pick_time();
    if (chance(25)) filter.until = chance(50) ? one.created_at : pick_time();
    if (chance(10)) filter.ended_since = pick_time();
    if (chance(10)) filter.ended_before = one.ended_at ? *one.ended_at : pick_time();
    return filter;
  }

  std::vector<Task> all() {
    ListRequest request;
    request.actor = kRoot;
    request.oldest_first = true;
    request.limit = 10'000;
    return store->list(request);
  }

  std::mt19937 random;
};

TEST_CASE("a list has what its filter means, whatever the history, page by page") {
  for (unsigned seed = 1; seed <= 2; ++seed) {
    HistoryFixture history(seed);
    const std::vector<Task> all = history.all();
    REQUIRE(all.size() > 50);
    REQUIRE(history.number("SELECT count(*) FROM clock_steps") > 0);
    std::size_t found = 0;
    for (int i = 0; i < 70; ++i) {
      CAPTURE(seed);
      CAPTURE(i);
      ListRequest request;
      request.actor = history.chance(70) ? kRoot : kAlice;
      request.filter = history.pick_filter();
      request.oldest_first = history.chance(50);
      request.limit = 1 + history.pick(20);
      Ids expected;
      for (const Task& task : all) {
        const bool visible = request.actor.admin || task.uid == request.actor.uid;
        if (visible && is_meant(request.filter, task)) expected.push_back(task.id);
      }
      if (!request.oldest_first) std::reverse(expected.begin(), expected.end());
      Ids listed;
      for (;;) {
        const std::vector<Task> page = history.store->list(request);
        if (page.empty()) break;
        for (const Task& task : page) listed.push_back(task.id);
        request.after = listed.back();
      }
      CHECK(listed == expected);
      found += listed.size();
    }
    CHECK(found > 100);
  }
}

TEST_CASE("a dry run changes nothing, and the deed then does just that") {
  const Verb verbs[] = {Verb::cancel, Verb::hold, Verb::release, Verb::move, Verb::remove};
  std::size_t changed = 0;
  for (unsigned seed = 10; seed < 12; ++seed) {
    HistoryFixture history(seed);
    for (int i = 0; i < 60; ++i) {
      CAPTURE(seed);
      CAPTURE(i);
      ControlRequest request;
      request.actor = history.chance(70) ? kRoot : kBob;
      request.verb = verbs[history.pick(5)];
      request.queue = request.verb == Verb::move ? "mail" : "";
      request.filter = history.pick_filter();
      request.dry_run = true;
      const std::int64_t events = history.number("SELECT max(seq) FROM events");
      const auto preview = std::get<Preview>(history.store->control(request));
      CHECK(history.number("SELECT max(seq) FROM events") == events);
      std::map<std::pair<std::string, State>, std::int64_t> counts;
      for (const TaskId id : preview.first) {
        const Task task = history.get(id);
        ++counts[{task.spec.queue, task.state}];
      }
      for (const auto& [queue, state, count] : preview.counts) {
        CHECK(counts[{queue, state}] == count);
      }
      CHECK(counts.size() == preview.counts.size());
      request.dry_run = false;
      Ids ids;
      const auto changes = std::get<std::vector<ControlChange>>(history.store->control(request));
      for (const ControlChange& change : changes) ids.push_back(change.id);
      CHECK(ids == preview.first);
      CHECK(std::cmp_equal(ids.size(), preview.count));
      changed += ids.size();
      history.step();
      history.submit_some();
    }
  }
  CHECK(changed > 100);
}

TEST_CASE_FIXTURE(Fixture, "a dry run of ids is refused as the deed is") {
  const TaskId waits = submit();
  const TaskId ended = submit();
  control(Verb::cancel, ended);
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::retry;
  request.dry_run = true;
  request.ids = {ended};
  CHECK(std::get<Preview>(store->control(request)).first == Ids{ended});
  request.ids = {ended, waits};
  CHECK(std::get<WrongState>(store->control(request)).id == waits);
  request.ids = {99};
  CHECK(std::get<NotFound>(store->control(request)).id == 99);
  request.actor = kBob;
  request.ids = {ended};
  CHECK(std::holds_alternative<NotFound>(store->control(request)));
  CHECK(state(ended) == State::cancelled);
}

TEST_CASE_FIXTURE(Fixture, "a dry run of a retry or a move stops where the queue is full") {
  QueuePatch small{.name = "small"};
  small.capacity = 2;
  store->configure_queues({&small, 1});
  for (int i = 0; i < 3; ++i) submit();
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::move;
  request.queue = "small";
  request.filter = Filter{};
  request.dry_run = true;
  const auto preview = std::get<Preview>(store->control(request));
  CHECK(preview.first == Ids{1, 2});
  CHECK(preview.full_queue == "small");
  request.dry_run = false;
  CHECK(std::get<QueueFull>(store->control(request)).changed == 2);
  request.queue = "none";
  request.dry_run = true;
  CHECK(std::get<UnknownQueue>(store->control(request)).queue == "none");
}

TEST_CASE_FIXTURE(Fixture, "an array's tasks have the time of its submit, whenever they are made") {
  NewTask many = task();
  many.array = ArrayRange{.first = 1, .last = 1'001};
  const TaskId first = submit(many);
  const WallTime at = get(first).created_at;
  clock.wall_ms += 1000;
  submit();
  CHECK(get(first + 1'000).created_at == at);
  Filter filter;
  filter.until = at + 1;
  CHECK(store->ids_of(filter).last == first + 1'000);
  filter.until.reset();
  filter.since = at + 1;
  CHECK(store->ids_of(filter).first == first + 1'001);
}

}  // namespace
}  // namespace taskd
