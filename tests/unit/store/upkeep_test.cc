#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;

NewTask delayed(std::int64_t ms) {
  NewTask task = Fixture::task();
  task.delay_ms = ms;
  return task;
}

TEST_CASE_FIXTURE(Fixture, "what is due is queued in the order of its time, so many at a time") {
  CHECK_FALSE(store->promote(clock.wall_now(), 10).has_value());
  const WallTime start = clock.wall_now();
  const TaskId third = submit(delayed(3000));
  const TaskId first = submit(delayed(1000));
  const TaskId second = submit(delayed(2000));
  CHECK(store->promote(start + 999, 10) == start + 1000);
  CHECK(state(first) == State::scheduled);
  CHECK(store->promote(start + 3000, 2) == start + 3000);
  CHECK(state(first) == State::queued);
  CHECK(state(second) == State::queued);
  CHECK(state(third) == State::scheduled);
  CHECK_FALSE(store->promote(start + 3000, 2).has_value());
  CHECK(state(third) == State::queued);
  CHECK(events_of(third) == std::vector<std::string>{"submitted", "due"});
}

TEST_CASE_FIXTURE(Fixture, "a task is pruned with its rows when it was kept long enough") {
  NewTask brief = task();
  brief.spec.keep_ms = 60'000;
  brief.spec.labels = {{"a", "b"}};
  const TaskId id = submit(brief);
  const TaskId kept = submit();
  finish(claim());
  finish(claim());
  const WallTime ended = clock.wall_now();
  CHECK(store->prune(ended + 59'999, 10).next == ended + 60'000);
  const auto pruned = store->prune(ended + 60'000, 10);
  REQUIRE(pruned.tasks.size() == 1);
  CHECK(pruned.tasks[0].id == id);
  CHECK(pruned.tasks[0].attempts == 1);
  CHECK(pruned.next == ended + 30 * kDayMs);
  CHECK_FALSE(store->get(kRoot, id).has_value());
  CHECK(store->get(kRoot, kept).has_value());
  CHECK(number("SELECT count(*) FROM task_labels") == 0);
  CHECK(events_of(id).back() == "pruned");
  CHECK(store->queues().at(0).counts[static_cast<int>(State::succeeded)] == 1);
}

TEST_CASE_FIXTURE(Fixture, "a retried task is not pruned, and pruning goes by its limit") {
  NewTask brief = task();
  brief.spec.keep_ms = 0;
  for (int i = 0; i < 5; ++i) submit(brief);
  for (int i = 0; i < 5; ++i) finish(claim());
  clock.now_ms += 10'000;
  control(Verb::retry, 1);
  CHECK(store->prune(clock.wall_now(), 3).tasks.size() == 3);
  const auto rest = store->prune(clock.wall_now(), 3);
  CHECK(rest.tasks.size() == 1);
  CHECK_FALSE(rest.next.has_value());
  CHECK(state(1) == State::queued);
}

TEST_CASE_FIXTURE(Fixture, "a task to be kept for no time is there ten seconds after it was over") {
  NewTask brief = task();
  brief.spec.keep_ms = 0;
  const TaskId ended_before = submit(brief);
  const TaskId cancelled = submit(brief);
  Finish old = end_of(claim());
  old.end.ended_at = clock.wall_now() + -3'600'000;  // while there was no daemon
  store->finish({&old, 1}, 0);
  control(Verb::cancel, cancelled);
  const WallTime recorded = clock.wall_now();
  CHECK(store->prune(recorded + 9'999, 10).tasks.empty());
  CHECK(state(ended_before) == State::succeeded);
  CHECK(state(cancelled) == State::cancelled);
  CHECK(store->prune(recorded + 10'000, 10).tasks.size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "the store tells which ids exist, and the highest there ever was") {
  CHECK(store->newest_id() == 0);
  for (int i = 0; i < 5; ++i) submit();
  for (const TaskId id : {TaskId{2}, TaskId{5}}) {
    control(Verb::cancel, id);
    control(Verb::remove, id);
  }
  CHECK(store->newest_id() == 5);
  CHECK(store->ids_between(0, 999) == std::vector<TaskId>{1, 3, 4});
  CHECK(store->ids_between(2, 3) == std::vector<TaskId>{3});
  CHECK(store->ids_between(5, 5).empty());
}

TEST_CASE_FIXTURE(Fixture, "a key is forgotten after seven days, an event after thirty") {
  std::get<Submitted>(try_submit({task()}, kAlice, "key"));
  store->prune(clock.wall_now() + (7 * kDayMs - 1), 10);
  CHECK(std::get<Submitted>(try_submit({task()}, kAlice, "key")).repeated);
  store->prune(clock.wall_now() + 7 * kDayMs, 10);
  CHECK_FALSE(std::get<Submitted>(try_submit({task()}, kAlice, "key")).repeated);

  const std::int64_t newest = number("SELECT max(seq) FROM events");
  CHECK(newest == 3);
  store->prune(clock.wall_now() + (30 * kDayMs - 1), 10);
  CHECK(number("SELECT count(*) FROM events") == 3);
  store->prune(clock.wall_now() + 30 * kDayMs, 10);
  CHECK(number("SELECT count(*) FROM events") == 1);
  CHECK(number("SELECT max(seq) FROM events") == newest);
}

}  // namespace
}  // namespace taskd
