#include "daemon/engine/timekeeper.h"

#include <doctest/doctest.h>

#include <cstdlib>

#include "tests/unit/engine/fakes.h"

using namespace taskd;
using namespace taskd::test;

namespace {

struct TimekeeperFixture : StoreFixture {
  TimekeeperFixture()
      : timekeeper(*store, launcher, clock, handlers, [](const std::string&) { std::abort(); }) {}
  FakeLauncher launcher;
  Handlers handlers;
  Timekeeper timekeeper;
};

NewTask delayed(std::int64_t ms) {
  NewTask task;
  task.delay_ms = ms;
  return task;
}

}  // namespace

TEST_CASE("a round promotes what is due and tells when the next is") {
  TimekeeperFixture f;
  f.submit(delayed(1000));
  f.submit(delayed(5000));
  CHECK(f.timekeeper.run_once() == f.clock.wall_now() + 1000);
  CHECK(f.get(1).state == State::scheduled);
  f.clock.wall_ms += 1000;
  CHECK(f.timekeeper.run_once() == f.clock.wall_now() + 4000);
  CHECK(f.get(1).state == State::queued);
  CHECK(f.get(2).state == State::scheduled);
}

TEST_CASE("a clock set back fires nothing twice, and one set forward fires each task once") {
  TimekeeperFixture f;
  f.submit(delayed(1000));
  f.clock.wall_ms += 3'600'000;
  f.timekeeper.run_once();
  CHECK(f.get(1).state == State::queued);
  f.clock.wall_ms -= 7'200'000;
  f.timekeeper.run_once();
  f.clock.wall_ms += 7'200'000;
  CHECK_FALSE(f.timekeeper.run_once().has_value());
  CHECK(f.get(1).state == State::queued);
}

TEST_CASE("an ended task and its files go when its keep time is over") {
  TimekeeperFixture f;
  NewTask task;
  task.spec.keep_ms = 60'000;
  const TaskId id = f.submit(task);
  const Claim claim = f.store->claim(1).claims.front();
  AttemptEnd end;
  end.outcome = {OutcomeKind::exited, 0, ""};
  const Finish finishes[] = {{claim.task, claim.attempt, claim.token, end}};
  f.store->finish(finishes, 0);
  CHECK(f.timekeeper.run_once() == f.clock.wall_now() + 60'000);
  CHECK(f.launcher.removed().empty());
  f.clock.wall_ms += 60'000;
  f.timekeeper.run_once();
  CHECK(f.launcher.removed() == std::vector<TaskId>{id});
  CHECK_FALSE(f.store->get(StoreFixture::kActor, id).has_value());
}

TEST_CASE("more due tasks than one batch take several rounds that follow at once") {
  TimekeeperFixture f;
  SubmitRequest request;
  request.actor = StoreFixture::kActor;
  for (int i = 0; i < 1201; ++i) {
    request.tasks.push_back(delayed(10));
    request.tasks.back().spec.argv = {"true"};
  }
  f.store->submit(request);
  f.clock.wall_ms += 10;
  CHECK(f.timekeeper.run_once() == f.clock.wall_now());
  CHECK(f.timekeeper.run_once() == f.clock.wall_now());
  CHECK_FALSE(f.timekeeper.run_once().has_value());
  CHECK(f.get(1201).state == State::queued);
}
