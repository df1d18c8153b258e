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
  clock.wall_ms += 10'000;
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

struct UpkeepFixture : Fixture {
  std::int64_t put(const std::string& name) {
    ScheduleSettings settings;
    settings.name = name;
    settings.every_ms = 1000;
    settings.overlap = Overlap::queue;
    settings.task.argv = {"/bin/true"};
    return std::get<Schedule>(store->put_schedule(kAlice, kAlice.uid, settings)).id;
  }
  void fire(std::int64_t schedule) {
    const WallTime was = {
        number("SELECT done_until_ms FROM schedules WHERE id = " + std::to_string(schedule))};
    REQUIRE(store->fire({schedule, was, {was + 1}, was + 1, std::nullopt}).size() == 1);
  }
  std::int64_t slots() { return number("SELECT count(*) FROM schedule_slots"); }
  // The first of two tries, with a back-off of 10 s.
  Claim begin_try() {
    NewTask flaky = task();
    flaky.spec.max_attempts = 2;
    flaky.spec.backoff = {BackoffKind::constant, 10'000, 10'000, 0.1};
    submit(flaky);
    return claim();
  }
  TaskId fail(const Claim& claim, WallTime ended_at) {
    Finish end = end_of(claim, OutcomeKind::exited, 1);
    end.end.ended_at = ended_at;
    REQUIRE(store->finish({&end, 1}, 0).at(0).accepted);
    return claim.task;
  }
  TaskId fail_once() { return fail(begin_try(), clock.wall_now()); }
};

TEST_CASE_FIXTURE(UpkeepFixture, "slots go after thirty days, but for the latest of a schedule") {
  const std::int64_t rare = put("rare");
  const std::int64_t frequent = put("frequent");
  fire(rare);
  for (int i = 0; i < 3; ++i) fire(frequent);
  store->prune(clock.wall_now() + (30 * kDayMs - 1), 10);
  CHECK(slots() == 4);
  for (int i = 0; i < 2; ++i) store->prune(clock.wall_now() + 30 * kDayMs, 1);
  CHECK(slots() == 2);
  store->prune(clock.wall_now() + 30 * kDayMs, 10);
  CHECK(store->slots(rare, 10).size() == 1);
  CHECK(store->slots(frequent, 10).size() == 1);
  store->remove_schedule(kAlice, {kAlice.uid, "rare"});
  store->prune(clock.wall_now() + 30 * kDayMs, 10);
  CHECK(store->slots(rare, 10).empty());
  CHECK(slots() == 1);
}

TEST_CASE_FIXTURE(UpkeepFixture,
                  "a back-off under a clock that was ahead ends when that is put right") {
  const WallTime right = clock.wall_now();
  clock.wall_ms += 365 * kDayMs;
  const TaskId failed = fail_once();
  const TaskId held = fail_once();
  control(Verb::hold, held);
  const TaskId delayed_by_hand = submit(delayed(10'000));
  clock.wall_ms -= 365 * kDayMs;
  const TaskId failed_later = fail_once();
  const WallTime due_later = get(failed_later).due_at.value();
  clock.wall_ms -= 1;
  store->rewind_clock(clock.wall_now());
  CHECK(get(failed).due_at == clock.wall_now() + 11'000);
  CHECK(get(held).due_at == clock.wall_now() + 11'000);
  CHECK(get(failed_later).due_at == due_later);
  CHECK(get(delayed_by_hand).due_at == right + 365 * kDayMs + 10'000);
  store->rewind_clock(clock.wall_now() + 5000);  // as at each start
  CHECK(get(failed).due_at == clock.wall_now() + 11'000);
}

TEST_CASE_FIXTURE(UpkeepFixture,
                  "a back-off ends when the clock is put right, whenever the end was recorded") {
  // Recorded a day later, by a daemon that was not there at the end.
  const WallTime end = clock.wall_now();
  const Claim unseen = begin_try();
  clock.wall_ms += kDayMs;
  CHECK(get(fail(unseen, end)).due_at <= end + 11'000);
  // Ended by a clock that was ahead; recorded a second later, or once that was put right.
  clock.wall_ms += 2 * kDayMs;
  const Claim claims[] = {begin_try(), begin_try()};
  const WallTime ahead = clock.wall_now();
  clock.wall_ms += 1000;
  const TaskId before = fail(claims[0], ahead);
  clock.wall_ms -= 2 * kDayMs;
  store->rewind_clock(clock.wall_now());
  const TaskId after = fail(claims[1], ahead);
  for (const TaskId id : {before, after}) CHECK(get(id).due_at <= clock.wall_now() + 11'000);
  // It is put back once more.
  clock.wall_ms -= kDayMs;
  store->rewind_clock(clock.wall_now());
  for (const TaskId id : {before, after}) CHECK(get(id).due_at == clock.wall_now() + 11'000);
}

TEST_CASE_FIXTURE(UpkeepFixture, "a start that a person gave after a failed try stays") {
  const TaskId failed = fail_once();
  EditRequest edit;
  edit.actor = kAlice;
  edit.task = failed;
  edit.was = get(failed).spec;
  edit.was_due_at = get(failed).due_at;
  edit.to.spec = edit.was;
  edit.to.delay_ms = 5 * 3'600'000;
  edit.sets_start = true;
  REQUIRE(std::holds_alternative<Edited>(store->edit(edit)));
  const WallTime start = get(failed).due_at.value();
  clock.wall_ms -= 3'600'000;
  store->rewind_clock(clock.wall_now());
  CHECK(get(failed).due_at == start);
}

TEST_CASE_FIXTURE(UpkeepFixture,
                  "the history does not grow with tasks that are gone, and stays of those there") {
  keep_events = 20;
  restart();
  const TaskId stays = submit();
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 40; ++i) {
      const TaskId id = submit(task(10));
      finish(claim());
      control(Verb::remove, id);
    }
    while (store->prune(clock.wall_now(), 10).next == clock.wall_now()) continue;
    const std::int64_t of_removed = number(
        "SELECT count(*) FROM events WHERE task_id IS NOT NULL AND task_id NOT IN (SELECT id FROM"
        " tasks)");
    CHECK(of_removed <= 20 + 10);
    CHECK(of_removed >= 10);
    CHECK(store->kept_events() == of_removed);
  }
  CHECK(number("SELECT count(*) FROM events WHERE task_id = " + std::to_string(stays)) == 1);
  CHECK(number("SELECT count(*) FROM events WHERE task_id IS NULL") > 0);
  // What was removed last is still told of.
  CHECK(number("SELECT count(*) FROM events WHERE type = 'removed'") > 0);
}

}  // namespace
}  // namespace taskd
