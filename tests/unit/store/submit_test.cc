#include <set>
#include <thread>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

TEST_CASE_FIXTURE(Fixture, "a submitted task comes back as it was asked for") {
  NewTask asked = task(7);
  asked.spec.name = "nightly";
  asked.spec.argv = {"/bin/echo", "", "a b", "\xc3\xa9"};
  asked.spec.env = {{"A", "1"}};
  asked.spec.labels = {{"team", "x"}};
  asked.spec.user_uid = 42;
  asked.spec.max_attempts = 5;
  const Task stored = get(submit(asked));
  CHECK(stored.spec == asked.spec);
  CHECK(stored.uid == kAlice.uid);
  CHECK(stored.state == State::queued);
  CHECK(stored.created_at == clock.wall_now());
  CHECK(stored.attempt == 0);
  CHECK_FALSE(stored.last_outcome.has_value());
}

TEST_CASE_FIXTURE(Fixture, "a task that is due later waits in scheduled, a held one in held") {
  NewTask delayed = task();
  delayed.delay_ms = 5000;
  NewTask at = task();
  at.run_at = clock.wall_now() + 1;
  NewTask past = task();
  past.run_at = clock.wall_now();
  NewTask held = task();
  held.hold = true;
  held.delay_ms = 5000;
  const auto ids = std::get<Submitted>(try_submit({delayed, at, past, held})).ids;
  CHECK(get(ids[0]).state == State::scheduled);
  CHECK(get(ids[0]).due_at == clock.wall_now() + 5000);
  CHECK(get(ids[1]).state == State::scheduled);
  CHECK(get(ids[2]).state == State::queued);
  CHECK_FALSE(get(ids[2]).due_at.has_value());
  CHECK(get(ids[3]).state == State::held);
  CHECK(get(ids[3]).due_at == clock.wall_now() + 5000);
}

TEST_CASE_FIXTURE(Fixture, "the listener is told of what was committed") {
  NewTask delayed = task();
  delayed.delay_ms = 5000;
  const auto ids = std::get<Submitted>(try_submit({task(), delayed})).ids;
  const auto told = take_changes();
  REQUIRE(told.size() == 2);
  CHECK(told[0].task == ids[0]);
  CHECK(told[0].to == State::queued);
  CHECK_FALSE(told[0].act_at.has_value());
  CHECK(told[1].to == State::scheduled);
  CHECK(told[1].act_at == clock.wall_now() + 5000);
}

TEST_CASE_FIXTURE(Fixture, "a submit of many stores all of them, or none") {
  NewTask lost = task();
  lost.spec.queue = "nowhere";
  const auto result = try_submit({task(), lost});
  REQUIRE(std::holds_alternative<UnknownQueue>(result));
  CHECK(std::get<UnknownQueue>(result).queue == "nowhere");
  CHECK(number("SELECT count(*) FROM tasks") == 0);
  CHECK(std::get<Submitted>(try_submit(std::vector<NewTask>(1000, task()))).ids.size() == 1000);
  CHECK(number("SELECT max(id) - min(id) + 1 FROM tasks") == 1000);
  CHECK(std::get<Submitted>(try_submit({})).ids.empty());
}

TEST_CASE_FIXTURE(Fixture, "a queue takes as many waiting tasks as its capacity") {
  const QueuePatch small[] = {{"small", 3}};
  store->configure_queues(small);
  NewTask in_small = task();
  in_small.spec.queue = "small";
  CHECK(std::holds_alternative<Submitted>(try_submit({in_small, in_small})));
  const auto refused = try_submit({in_small, in_small});
  REQUIRE(std::holds_alternative<QueueFull>(refused));
  CHECK(std::get<QueueFull>(refused).capacity == 3);
  in_small.hold = true;
  CHECK(std::holds_alternative<Submitted>(try_submit({in_small})));
  CHECK(std::holds_alternative<QueueFull>(try_submit({in_small})));
  claim();  // a running task waits no more
  CHECK(std::holds_alternative<Submitted>(try_submit({in_small})));
  submit();  // other queues have their own
}

TEST_CASE_FIXTURE(Fixture, "a capacity that changes holds at once and after a restart") {
  const QueuePatch none[] = {{"default", 0}, {"other", 5}};
  store->configure_queues(none);
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
  restart();
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()})));
  const QueuePatch one[] = {{"default", 1}};
  store->configure_queues(one);
  submit();
  const auto stats = store->queues();
  REQUIRE(stats.size() == 2);
  CHECK(stats[0].settings.name == "default");
  CHECK(stats[0].settings.capacity == 1);
  CHECK(stats[0].counts[static_cast<int>(State::queued)] == 1);
  CHECK(stats[1].settings.capacity == 5);
}

TEST_CASE_FIXTURE(Fixture, "the same key and body give the earlier tasks") {
  const auto first = std::get<Submitted>(try_submit({task(), task()}, kAlice, "key", "body"));
  CHECK_FALSE(first.repeated);
  const auto again = std::get<Submitted>(try_submit({task(), task()}, kAlice, "key", "body"));
  CHECK(again.repeated);
  CHECK(again.ids == first.ids);
  CHECK(std::holds_alternative<KeyReused>(try_submit({task()}, kAlice, "key", "other")));
  const auto bobs = std::get<Submitted>(try_submit({task()}, kBob, "key", "other"));
  CHECK_FALSE(bobs.repeated);
  CHECK(number("SELECT count(*) FROM tasks") == 3);
}

TEST_CASE_FIXTURE(Fixture, "a key is known after a restart and when the queue is full") {
  const auto first = std::get<Submitted>(try_submit({task()}, kAlice, "key"));
  restart();
  const QueuePatch none[] = {{"default", 0}};
  store->configure_queues(none);
  CHECK(std::get<Submitted>(try_submit({task()}, kAlice, "key")).ids == first.ids);
}

TEST_CASE_FIXTURE(Fixture, "a refused submit does not use up its key") {
  const QueuePatch none[] = {{"default", 0}};
  store->configure_queues(none);
  CHECK(std::holds_alternative<QueueFull>(try_submit({task()}, kAlice, "key")));
  const QueuePatch one[] = {{"default", 1}};
  store->configure_queues(one);
  CHECK_FALSE(std::get<Submitted>(try_submit({task()}, kAlice, "key")).repeated);
}

TEST_CASE_FIXTURE(Fixture, "of sixteen submits with one key at once, one makes the task") {
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> fresh{0};
    std::mutex ids_mutex;
    std::set<TaskId> ids;
    std::vector<std::thread> threads;
    for (int i = 0; i < 16; ++i) {
      threads.emplace_back([&, round] {
        const auto result = try_submit({task()}, kAlice, "key" + std::to_string(round));
        const std::lock_guard lock(ids_mutex);
        ids.insert(std::get<Submitted>(result).ids.at(0));
        if (!std::get<Submitted>(result).repeated) ++fresh;
      });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(ids.size() == 1);
    CHECK(fresh == 1);
  }
}

TEST_CASE_FIXTURE(Fixture, "ids are never used again") {
  const TaskId id = submit();
  control(Verb::cancel, id);
  control(Verb::remove, id);
  restart();
  CHECK(submit() == id + 1);
}

}  // namespace
}  // namespace taskd
