// Why a task is not running.
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

struct WhyFixture : Fixture {
  WhyFixture() {
    machine = {2, {{"gpu", {1, {"0"}}}}};
    restart();
  }
  Why why(TaskId id) { return store->why(kAlice, id).value(); }
  WaitKind kind(TaskId id) { return why(id).kind; }
  // Tasks of 10 s each, so that there is a history.
  void make_history() {
    for (int i = 0; i < 3; ++i) {
      submit();
      const Claim one = claim();
      clock.wall_ms += 10'000;
      finish(one);
    }
  }
};

TEST_CASE_FIXTURE(WhyFixture, "what runs or has ended waits for nothing") {
  submit();
  CHECK(kind(1) == WaitKind::turn);
  const Claim one = claim();
  CHECK(kind(1) == WaitKind::runs);
  finish(one);
  CHECK(kind(1) == WaitKind::ended);
  CHECK_FALSE(store->why(kBob, 1));
}

TEST_CASE_FIXTURE(WhyFixture, "a person, a time and a try to come are told") {
  submit();
  control(Verb::hold, 1);
  CHECK(why(1).kind == WaitKind::held);
  CHECK(why(1).by == kAlice.uid);
  NewTask later = task();
  later.delay_ms = 5000;
  submit(later);
  CHECK(why(2).kind == WaitKind::delay);
  CHECK(why(2).until == clock.wall_now() + 5000);
  NewTask again = task();
  again.spec.max_attempts = 2;
  submit(again);
  finish(claim(), OutcomeKind::exited, 1);
  CHECK(why(3).kind == WaitKind::retry);
  CHECK(why(3).until.has_value());
}

TEST_CASE_FIXTURE(WhyFixture, "dependencies are named") {
  submit();
  submit();
  NewTask one = task();
  one.spec.constraints.depends_on = {{1, DependencyOn::ok}, {2, DependencyOn::any}};
  submit(one);
  finish(claim());
  CHECK(why(3).kind == WaitKind::dependencies);
  CHECK(why(3).tasks == Ids{2});
}

TEST_CASE_FIXTURE(WhyFixture, "a key names who holds it, or when its rate lets the next start") {
  NewTask one = task();
  one.spec.constraints.key.name = "k";
  for (int i = 0; i < 3; ++i) submit(one);
  claim();
  CHECK(why(3).kind == WaitKind::key_busy);
  CHECK(why(3).what == "k");
  CHECK(why(3).tasks == Ids{1});
  CHECK(why(3).ahead == 1);
  one.spec.constraints.key = {"r", std::nullopt, RateLimit{1, 60'000}};
  submit(one);
  submit(one);
  claim();
  CHECK(why(5).kind == WaitKind::key_rate);
  CHECK(why(5).until == clock.wall_now() + 60'000);
}

TEST_CASE_FIXTURE(WhyFixture, "a queue that is paused, busy or slow says so") {
  submit();
  store->control_queue(kRoot, "default", QueueVerb::pause, "moving house");
  CHECK(why(1).kind == WaitKind::queue_paused);
  CHECK(why(1).by == 0u);
  CHECK(why(1).reason == "moving house");
  store->control_queue(kRoot, "default", QueueVerb::resume);
  store->set_queue(kRoot, {.name = "default", .concurrency = 1}, false);
  submit();
  claim();
  CHECK(why(2).kind == WaitKind::queue_busy);
  CHECK(why(2).tasks == Ids{1});
  store->set_queue(kRoot, {.name = "slow", .rate = RateLimit{1, 1000}}, true);
  NewTask one = task();
  one.spec.queue = "slow";
  submit(one);
  claim();
  submit(one);
  CHECK(why(4).kind == WaitKind::queue_rate);
  CHECK(why(4).until == clock.wall_now() + 1000);
}

TEST_CASE_FIXTURE(WhyFixture, "what the machine lacks is named with those who have it") {
  NewTask one = task();
  one.spec.constraints.resources["gpu"] = 1;
  submit(one);
  submit(one);
  claim();
  CHECK(why(2).kind == WaitKind::resource);
  CHECK(why(2).what == "gpu");
  CHECK(why(2).units == std::vector<std::string>{"0"});
  CHECK(why(2).tasks == Ids{1});
  control(Verb::cancel, 2);
  submit();
  submit();
  claim();
  CHECK(why(4).kind == WaitKind::slots);
  CHECK(why(4).tasks == Ids{1, 3});
  machine.slots = 1;
  machine.resources.clear();
  NewTask wide = task();
  wide.spec.constraints.slots = 2;
  submit(wide);
  restart();
  CHECK(kind(5) == WaitKind::never_fits);
}

TEST_CASE_FIXTURE(WhyFixture, "a task that others make room for is named, from whatever queue") {
  store->set_queue(kRoot, {.name = "other"}, true);
  submit();
  const Claim running = claim();
  NewTask wide = task();
  wide.spec.constraints.slots = 2;
  submit(wide);
  CHECK(store->claim(1).claims.empty());
  NewTask small = task();
  small.spec.queue = "other";
  submit(small);
  CHECK(store->claim(1).claims.empty());
  CHECK(why(3).kind == WaitKind::kept);
  CHECK(why(3).tasks == Ids{2});
  CHECK(why(3).what.empty());
  CHECK(store->why(kBob, submit(small, kBob))->tasks.empty());
  CHECK(why(2).kind == WaitKind::slots);
  finish(running);
  CHECK(kind(3) != WaitKind::kept);
}

TEST_CASE_FIXTURE(WhyFixture, "a resource that is kept for a larger task is named") {
  machine = {4, {{"tape", {3, {}}}}};
  restart();
  const auto taking = [&](std::int64_t amount) {
    NewTask one = task();
    one.spec.constraints.resources["tape"] = amount;
    return submit(one);
  };
  taking(2);
  claim();
  taking(3);
  taking(1);
  CHECK(store->claim(1).claims.empty());
  CHECK(why(3).kind == WaitKind::kept);
  CHECK(why(3).what == "tape");
  CHECK(why(3).tasks == Ids{2});
  CHECK(why(3).ahead == 1);
  CHECK(submit() == 4);
  CHECK(kind(4) == WaitKind::turn);
}

TEST_CASE_FIXTURE(WhyFixture,
                  "of a task that has ended it says how, and whose end it could not follow") {
  submit();
  NewTask after = task();
  after.spec.constraints.depends_on = {{1, DependencyOn::ok}};
  submit(after);
  submit();
  control(Verb::cancel, 1);
  CHECK(why(2).kind == WaitKind::ended);
  CHECK(why(2).what == "failed");
  CHECK(why(2).reason == "dependency");
  CHECK(why(2).tasks == Ids{1});
  finish(claim());
  CHECK(why(3).what == "succeeded");
  CHECK(why(3).tasks.empty());
}

TEST_CASE_FIXTURE(WhyFixture, "tasks of somebody else are counted, but not named") {
  submit(task(), kBob);
  claim();
  submit();
  claim();
  submit();
  CHECK(why(3).kind == WaitKind::slots);
  CHECK(why(3).task_count == 2);
  CHECK(why(3).tasks == Ids{2});
}

TEST_CASE_FIXTURE(WhyFixture, "history tells when a task will start") {
  make_history();
  for (int i = 0; i < 5; ++i) submit();
  CHECK(why(6).ahead == 2);
  CHECK(why(6).expected_at == clock.wall_now() + 10'000);
  store->claim(2);
  clock.wall_ms += 4000;
  CHECK(why(8).ahead == 2);
  CHECK(why(8).kind == WaitKind::slots);
  CHECK(why(8).expected_at == clock.wall_now() + 16'000);
}

TEST_CASE_FIXTURE(Fixture, "a key is held by what waits for a worker too") {
  NewTask keyed = task();
  keyed.spec.constraints.key = {"k", 1, std::nullopt};
  submit(keyed);
  const TaskId second = submit(keyed);
  const Why why = store->why(kAlice, second).value();
  CHECK(why.kind == WaitKind::key_busy);
  CHECK(why.tasks == std::vector<TaskId>{1});
  CHECK(why.ahead == 1);
}

}  // namespace
}  // namespace taskd
