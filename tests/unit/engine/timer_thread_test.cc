#include "daemon/engine/timer_thread.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

struct TimerThreadFixture : StoreFixture {
  TimerThreadFixture()
      : timer(*store, launcher, clock, clock, handlers,
                   [](const std::string&) { std::abort(); }) {}
  FakeLauncher launcher;
  Handlers handlers;
  TimerThread timer;
};

NewTask delayed(std::int64_t ms) {
  NewTask task;
  task.delay_ms = ms;
  return task;
}

}  // namespace

TEST_CASE("a round promotes what is due and tells when the next is") {
  TimerThreadFixture f;
  f.submit(delayed(1000));
  f.submit(delayed(5000));
  CHECK(f.timer.run_once() == f.clock.wall_now() + 1000);
  CHECK(f.get(1).state == State::scheduled);
  f.clock.wall_ms += 1000;
  CHECK(f.timer.run_once() == f.clock.wall_now() + 4000);
  CHECK(f.get(1).state == State::queued);
  CHECK(f.get(2).state == State::scheduled);
}

TEST_CASE("a clock set back fires nothing twice, and one set forward fires each task once") {
  TimerThreadFixture f;
  f.submit(delayed(1000));
  f.clock.wall_ms += 3'600'000;
  f.timer.run_once();
  CHECK(f.get(1).state == State::queued);
  f.clock.wall_ms -= 7'200'000;
  f.timer.run_once();
  f.clock.wall_ms += 7'200'000;
  CHECK_FALSE(f.timer.run_once().has_value());
  CHECK(f.get(1).state == State::queued);
}

TEST_CASE("an ended task and its files go when its keep time is over") {
  TimerThreadFixture f;
  NewTask task;
  task.spec.keep_ms = 60'000;
  const TaskId id = f.submit(task);
  const Claim claim = f.store->claim(1).claims.front();
  AttemptEnd end;
  end.outcome = {OutcomeKind::exited, 0, ""};
  const Finish finishes[] = {{claim.task, claim.attempt, claim.token, end}};
  f.store->finish(finishes, 0);
  CHECK(f.timer.run_once() == f.clock.wall_now() + 60'000);
  CHECK(f.launcher.removed().empty());
  f.clock.wall_ms += 60'000;
  f.timer.run_once();
  CHECK(f.launcher.removed() == std::vector<TaskId>{id});
  CHECK_FALSE(f.store->get(StoreFixture::kActor, id).has_value());
}

TEST_CASE("more due tasks than one batch take several rounds that follow at once") {
  TimerThreadFixture f;
  SubmitRequest request;
  request.actor = StoreFixture::kActor;
  for (int i = 0; i < 1201; ++i) {
    request.tasks.push_back(delayed(10));
    request.tasks.back().spec.argv = {"true"};
  }
  f.store->submit(request);
  f.clock.wall_ms += 10;
  CHECK(f.timer.run_once() == f.clock.wall_now());
  CHECK(f.timer.run_once() == f.clock.wall_now());
  CHECK_FALSE(f.timer.run_once().has_value());
  CHECK(f.get(1201).state == State::queued);
}

namespace {

struct JumpFixture : StoreFixture {
  JumpFixture()
      : age_clock(clock, store->clock_point(),
                  [this](const TrustedClock::Point& point) { store->keep_clock_point(point); }),
        timer(*store, launcher, clock, age_clock, handlers,
                   [](const std::string&) { std::abort(); }) {}
  void end_one() {
    NewTask task;
    task.spec.keep_ms = 30 * kDayMs;
    submit(task);
    const Claim claim = store->claim(1).claims.front();
    AttemptEnd end;
    end.outcome = {OutcomeKind::exited, 0, ""};
    const Finish finishes[] = {{claim.task, claim.attempt, claim.token, end}};
    store->finish(finishes, 0);
  }
  void pass(std::int64_t ms) {
    clock.wall_ms += ms;
    clock.boot_ms += ms;
  }
  static constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
  FakeLauncher launcher;
  Handlers handlers;
  TrustedClock age_clock;
  TimerThread timer;
};

}  // namespace

TEST_CASE("a clock that jumps ahead by months prunes nothing until the jump has lasted for a day") {
  JumpFixture f;
  f.end_one();
  f.clock.wall_ms += 60 * JumpFixture::kDayMs;
  const auto next = f.timer.run_once();
  CHECK(f.launcher.removed().empty());
  CHECK(next > f.clock.wall_now());  // no busy loop meanwhile
  f.pass(JumpFixture::kDayMs - 1);
  f.timer.run_once();
  CHECK(f.launcher.removed().empty());
  f.pass(1);
  f.timer.run_once();
  CHECK(f.launcher.removed() == std::vector<TaskId>{1});
}

TEST_CASE("a jump that is put right within a day has removed nothing, and time goes on") {
  JumpFixture f;
  f.end_one();
  f.clock.wall_ms += 60 * JumpFixture::kDayMs;
  f.timer.run_once();
  f.pass(3'600'000);
  f.clock.wall_ms -= 60 * JumpFixture::kDayMs;
  f.timer.run_once();
  CHECK_FALSE(f.age_clock.ahead());
  f.pass(2 * JumpFixture::kDayMs);
  f.timer.run_once();
  CHECK(f.launcher.removed().empty());
  f.pass(28 * JumpFixture::kDayMs);
  f.timer.run_once();
  CHECK(f.launcher.removed() == std::vector<TaskId>{1});
}

TEST_CASE("a restart in the same boot forgets neither the jump nor for how long it has lasted") {
  JumpFixture f;
  f.clock.wall_ms += 60 * JumpFixture::kDayMs;
  f.age_clock.wall_now();
  f.pass(JumpFixture::kDayMs / 2);
  const TrustedClock again(f.clock, f.store->clock_point(), [](const TrustedClock::Point&) {});
  REQUIRE(again.ahead());
  CHECK(again.ahead()->by_ms == 60 * JumpFixture::kDayMs);
  CHECK(again.ahead()->believed_at == f.clock.wall_now() + JumpFixture::kDayMs / 2);
}
