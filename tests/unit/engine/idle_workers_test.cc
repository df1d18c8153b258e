#include "daemon/engine/idle_workers.h"

#include <doctest/doctest.h>

#include <future>
#include <thread>

#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

using MaybeClaim = std::optional<Claim>;

// Workers that sleep until the test, which is the store's writer, lets them go.
struct Sleepers {
  std::future<MaybeClaim> sleep() {
    const int before = count();
    auto woken = std::async(std::launch::async, [this, seen = idle.work_seen()] {
      return idle.wait(seen, std::nullopt);
    });
    while (count() == before) std::this_thread::yield();
    return woken;
  }
  int count() {
    const int idle_now = idle.promise(100);
    idle.hand_over({});
    return idle_now;
  }
  static Claims claims(std::vector<TaskId> tasks) {
    Claims claims;
    for (const TaskId task : tasks) claims.claims.emplace_back().task = task;
    return claims;
  }

  FakeClock clock;
  IdleWorkers idle{clock};
};

TaskId task_of(std::future<MaybeClaim>& woken) {
  const MaybeClaim claim = woken.get();
  return claim ? claim->task : 0;
}

bool sleeps(const std::future<MaybeClaim>& worker) {
  return worker.wait_for(std::chrono::seconds(0)) == std::future_status::timeout;
}

}  // namespace

TEST_CASE_FIXTURE(Sleepers, "no more is promised than asked for, nor than are idle") {
  auto first = sleep();
  auto second = sleep();
  CHECK(idle.promise(1) == 1);
  idle.hand_over({});
  CHECK(idle.promise(3) == 2);
  idle.hand_over(claims({7, 8}));
  CHECK(idle.promise(3) == 0);  // both have something to do, whether they know it yet or not
  idle.hand_over({});
  CHECK(task_of(first) + task_of(second) == 15);
}

TEST_CASE_FIXTURE(Sleepers, "a promised worker stays for its claim, whatever else there is to do") {
  auto worker = sleep();
  REQUIRE(idle.promise(1) == 1);
  idle.wake_another();
  idle.stop();
  CHECK(sleeps(worker));
  idle.hand_over(claims({7}));
  CHECK(task_of(worker) == 7);
}

TEST_CASE_FIXTURE(Sleepers, "after a promise that came to nothing a worker looks for itself") {
  auto worker = sleep();
  REQUIRE(idle.promise(1) == 1);
  Change queued;
  queued.task = 7;
  idle.publish(std::span(&queued, 1));
  CHECK(sleeps(worker));
  idle.hand_over({});
  CHECK(task_of(worker) == 0);
}

TEST_CASE_FIXTURE(Sleepers,
                  "where nothing may start nobody is woken, unless a rate is to be watched") {
  auto worker = sleep();
  REQUIRE(idle.promise(1) == 1);
  idle.hand_over(Claims{});
  CHECK(sleeps(worker));
  REQUIRE(idle.promise(1) == 1);
  Claims none;
  none.later = clock.wall_now() + 60'000;
  idle.hand_over(none);
  CHECK(task_of(worker) == 0);
}

TEST_CASE_FIXTURE(Sleepers, "after a commit that failed the next finds its worker") {
  auto worker = sleep();
  REQUIRE(idle.promise(1) == 1);
  idle.hand_over({});
  REQUIRE(idle.promise(1) == 1);
  idle.hand_over(claims({7}));
  CHECK(task_of(worker) == 7);
}

TEST_CASE_FIXTURE(Sleepers,
                  "who watched a rate and is handed a claim leaves the watch to another") {
  const std::uint64_t seen = idle.work_seen();
  auto watcher =
      std::async(std::launch::async, [&] { return idle.wait(seen, clock.wall_now() + 60'000); });
  while (idle.promise(1) == 0) std::this_thread::yield();
  idle.hand_over(claims({7}));
  CHECK(task_of(watcher) == 7);
  CHECK_FALSE(idle.wait(seen, std::nullopt));  // at once, to ask the store
}

TEST_CASE_FIXTURE(Sleepers, "claims that leave a start to time have it watched by an idle worker") {
  auto first = sleep();
  auto second = sleep();
  REQUIRE(idle.promise(1) == 1);
  Claims some = claims({7});
  some.later = clock.wall_now() + 60'000;
  idle.hand_over(some);
  CHECK(task_of(first) + task_of(second) == 7);  // the other was woken to ask the store
}

TEST_CASE_FIXTURE(Sleepers, "nothing is promised for workers that stop") {
  auto worker = sleep();
  idle.stop();
  CHECK(idle.promise(1) == 0);
  CHECK(task_of(worker) == 0);
  CHECK(idle.stopping());
}
