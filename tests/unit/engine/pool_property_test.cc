// Random events against a real pool of workers: once they are through, no worker is idle beside a
// task that may start. So every commit that lets one start wakes whoever is to take it.
#include <rapidcheck.h>

#include <chrono>
#include <numeric>

#include "tests/support/memory_folder.h"
#include "tests/unit/engine/pool_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

constexpr int kWorkers = 3;
// Only a failure lasts this long.
constexpr std::chrono::seconds kTimeout{30};

int pick(int least, int end) {
  return *rc::gen::resize(rc::kNominalSize, rc::gen::inRange(least, end));
}
bool one_in(int n) {
  return pick(0, n) == 0;
}
template <typename T>
T one_of(const std::vector<T>& all) {
  return all.at(static_cast<std::size_t>(pick(0, static_cast<int>(all.size()))));
}

class PoolHistory : PoolFixture {
 public:
  PoolHistory()
      : PoolFixture(kWorkers, {.slots = kWorkers, .resources = {{"gpu", {1, {}}}}},
                    memory_folder()) {
    on_change = [this](const Change& change) { count(change); };
    for (const Event& event : mix) total += event.weight;
    store->set_queue(kActor, {.name = "other"}, true);
    for (const char* name : {"default", "other"}) {
      if (has_rates) set_rate(name);
    }
    pool.start({});
  }

  void do_something() {
    int which = pick(0, total);
    for (const auto& [weight, happen] : mix) {
      which -= weight;
      if (which < 0) return happen();
    }
  }

  // False: it never came to that.
  bool comes_to_rest() {
    for (;;) {
      std::uint64_t seen = 0;
      {
        const std::lock_guard lock(mutex);
        seen = commits;
      }
      const bool may_start = store->claim(0).more;
      std::unique_lock lock(mutex);
      RC_ASSERT(std::ssize(running_now) <= kWorkers);
      if (!may_start && told == left) break;
      if (!changed.wait_for(lock, kTimeout, [&] { return commits != seen; })) return false;
    }
    let_workers_ask();
    return true;
  }

  std::string story() const { return std::accumulate(events.begin(), events.end(), std::string()); }
  void note(const std::string& event) { events.push_back("\n" + event); }

 private:
  // An attempt ends once, whoever asked for that and however often.
  void count(const Change& change) {
    if (change.to == State::running) {
      running_now.insert(change.task);
      if (change.cancel_requested) tell(change.task);
    } else if (running_now.erase(change.task) == 1) {
      ++left[change.task];
    }
  }
  bool tell(TaskId task) {
    int& ended = left[task];
    if (told[task] != ended) return false;
    ++told[task];
    return true;
  }

  void submit_some() {
    SubmitRequest request;
    request.actor = kActor;
    for (int i = pick(1, 4); i > 0; --i) request.tasks.push_back(new_task());
    newest = std::get<Submitted>(store->submit(request)).ids.back();
  }
  NewTask new_task() {
    NewTask task;
    TaskSpec& spec = task.spec;
    spec.argv = {"true"};
    spec.queue = one_of<std::string>({"default", "other"});
    spec.priority = pick(0, 3);
    spec.max_attempts = pick(1, 3);
    spec.backoff = {BackoffKind::constant, 10, 10, 0};
    if (one_in(3)) spec.constraints.slots = pick(2, kWorkers + 1);
    if (one_in(4)) spec.constraints.resources["gpu"] = 1;
    if (one_in(3)) spec.constraints.key = {.name = "k", .limit = pick(1, 3), .rate = {}};
    if (newest > 0 && one_in(4)) spec.constraints.depends_on = {{pick_id(), DependencyOn::any}};
    task.hold = one_in(8);
    note("submit to " + spec.queue + " priority " + std::to_string(spec.priority) + " slots " +
         std::to_string(spec.constraints.slots) +
         (spec.constraints.resources.empty() ? "" : " gpu") +
         (spec.constraints.key.name.empty() ? "" : " key") + (task.hold ? " held" : ""));
    return task;
  }
  // One of the latest.
  TaskId pick_id() const {
    constexpr TaskId kLatest = 8;
    return pick(static_cast<int>(std::max<TaskId>(1, newest - kLatest)),
                static_cast<int>(newest) + 1);
  }

  void end_one() {
    const std::vector<TaskId> live = launcher.live();
    if (live.empty()) return;
    const TaskId task = one_of(live);
    const int code = pick(0, 2);
    {
      const std::lock_guard lock(mutex);
      if (!tell(task)) return;
    }
    note("end " + std::to_string(task) + " with " + std::to_string(code));
    launcher.end(task, code);
  }

  // Often the one that others wait behind.
  std::optional<TaskId> pick_in(std::vector<State> states) {
    ListRequest request;
    request.actor = kActor;
    request.filter.states = std::move(states);
    request.oldest_first = true;
    request.limit = 4;
    const std::vector<Task> tasks = store->list(request);
    if (tasks.empty()) return std::nullopt;
    return one_of(tasks).id;
  }
  // Whether a verb still applies to its task depends on how far the workers are.
  void control_one() {
    switch (pick(0, 6)) {
      case 0:
        return control(Verb::cancel, pick_in({State::queued, State::running}));
      case 1:
        return control(Verb::release, pick_in({State::held}));
      case 2:
        return control(Verb::retry, pick_in({State::failed, State::cancelled}));
      case 3:
        return control(Verb::move, pick_in({State::queued, State::blocked, State::held}));
      default:
        return control(Verb::hold, pick_in({State::queued, State::blocked}));
    }
  }
  void control(Verb verb, std::optional<TaskId> task) {
    if (!task) return;
    ControlRequest request;
    request.actor = kActor;
    request.verb = verb;
    request.ids = {*task};
    request.queue = one_of<std::string>({"default", "other"});
    note(std::string(to_string(verb)) + " " + std::to_string(*task) +
         (verb == Verb::move ? " to " + request.queue : ""));
    store->control(request);
  }

  void change_queue() {
    const std::string name = one_of<std::string>({"default", "other"});
    switch (pick(0, 4)) {
      case 0: {
        const auto limit = one_in(3) ? std::nullopt : std::optional(pick(1, 3));
        note(name + " concurrency " + std::to_string(limit.value_or(0)));
        store->set_queue(kActor, {.name = name, .concurrency = limit}, false);
        break;
      }
      case 1:
        if (has_rates) set_rate(name);
        break;
      default:
        const bool pause = paused.erase(name) == 0;
        if (pause) paused.insert(name);
        note(name + (pause ? " paused" : " resumed"));
        store->control_queue(kActor, name, pause ? QueueVerb::pause : QueueVerb::resume);
    }
  }
  void set_rate(const std::string& queue) {
    const RateLimit rate{pick(1, 3), 20};
    note(queue + " rate " + format_rate(rate));
    store->set_queue(kActor, {.name = queue, .rate = rate}, false);
  }

  // And the timer thread looks.
  void pass_time() {
    clock.wall_ms += pick(1, 50);
    note("time passes");
    store->promote(clock.wall_now(), 500);
  }

  // Each history has its own mix, so that those with little of one thing have more of another.
  struct Event {
    int weight;
    std::function<void()> happen;
  };
  const std::vector<Event> mix{
      {pick(2, 5), [this] { submit_some(); }}, {pick(1, 4), [this] { end_one(); }},
      {pick(0, 5), [this] { control_one(); }}, {pick(0, 5), [this] { change_queue(); }},
      {pick(1, 6), [this] { pass_time(); }},
  };
  int total = 0;  // of the weights
  const bool has_rates = one_in(2);
  TaskId newest = 0;
  std::set<std::string> paused;
  std::vector<std::string> events;
  // With the mutex held:
  std::set<TaskId> running_now;
  std::map<TaskId, int> told;  // how often an attempt of the task was made to end …
  std::map<TaskId, int> left;  // … and did
};

}  // namespace

TEST_CASE("whatever happens, no worker stays idle beside a task that may start") {
  // A worker that is not woken is waited for in vain, so a history is not made shorter once one
  // has failed.
  std::string failed;
  const bool holds = rc::check([&] {
    if (!failed.empty()) return;
    PoolHistory history;
    for (int bursts = pick(8, 40); bursts > 0; --bursts) {
      for (int events = one_of<int>({1, 1, 1, 2, 4}); events > 0; --events) history.do_something();
      if (!history.comes_to_rest()) failed = history.story();
      RC_ASSERT(failed.empty());
      history.note("all is quiet");
    }
  });
  CHECK_MESSAGE(holds, failed);
}
