#include <thread>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

std::vector<ControlChange> changed(ControlResult result) {
  return std::get<std::vector<ControlChange>>(std::move(result));
}

ControlRequest by_filter(Verb verb, Filter filter, Actor actor = kAlice) {
  ControlRequest request;
  request.actor = actor;
  request.verb = verb;
  request.filter = std::move(filter);
  return request;
}

TEST_CASE_FIXTURE(Fixture, "a task that waits is cancelled at once") {
  NewTask later = task();
  later.delay_ms = 1000;
  NewTask held = task();
  held.hold = true;
  for (const NewTask& waiting : {task(), later, held}) {
    const TaskId id = submit(waiting);
    CHECK(control(Verb::cancel, id).state == State::cancelled);
    CHECK(get(id).ended_at == clock.wall_now());
    CHECK(control(Verb::cancel, id).state == State::cancelled);  // again is fine
    CHECK(events_of(id) == std::vector<std::string>{"submitted", "cancelled"});
  }
  CHECK(store->claim(9).claims.empty());
}

TEST_CASE_FIXTURE(Fixture, "a running task is asked to end and told again when asked again") {
  const TaskId id = submit();
  const Claim claimed = claim();
  take_changes();
  const ControlChange change = control(Verb::cancel, id);
  CHECK(change.state == State::running);
  CHECK(change.cancel_requested);
  CHECK(change.attempts == 1);
  const auto asked_at = get(id).cancel_requested_at;
  CHECK(asked_at == clock.wall_now());
  clock.wall_ms += 1000;
  CHECK(control(Verb::cancel, id).cancel_requested);
  CHECK(get(id).cancel_requested_at == asked_at);
  const auto told = take_changes();
  REQUIRE(told.size() == 2);
  CHECK(told[1].cancel_requested);
  CHECK(finish(claimed, OutcomeKind::cancelled));
  CHECK(state(id) == State::cancelled);
  CHECK(events_of(id) ==
        std::vector<std::string>{"submitted", "claimed", "cancel_requested", "finished"});
}

TEST_CASE_FIXTURE(Fixture, "a task that ended before its cancel keeps its result") {
  const TaskId id = submit();
  const Claim claimed = claim();
  control(Verb::cancel, id);
  CHECK(finish(claimed));
  CHECK(state(id) == State::succeeded);
  const auto result = control(Verb::cancel, std::vector<TaskId>{id});
  REQUIRE(std::holds_alternative<WrongState>(result));
  CHECK(std::get<WrongState>(result).state == State::succeeded);
}

TEST_CASE_FIXTURE(Fixture, "a retry gives a fresh budget and keeps the history") {
  NewTask flaky = task();
  flaky.spec.max_lost = 0;
  const TaskId id = submit(flaky);
  const Claim claimed = claim();
  CHECK(finish(claimed, OutcomeKind::lost));
  CHECK(state(id) == State::failed);
  CHECK(control(Verb::retry, id).state == State::queued);
  const Task again = get(id);
  CHECK(again.tries == 0);
  CHECK(again.lost == 0);
  CHECK(again.attempt == 1);
  CHECK(again.started_at.has_value());
  CHECK_FALSE(again.reason.has_value());
  CHECK_FALSE(again.ended_at.has_value());
  CHECK_FALSE(again.cancel_requested_at.has_value());
  CHECK(std::holds_alternative<WrongState>(control(Verb::retry, std::vector<TaskId>{id})));
  CHECK(claim().attempt == 2);
}

TEST_CASE_FIXTURE(Fixture, "a retry of ids puts all of them back into their queue, or none") {
  const QueuePatch small[] = {{"small", 2}};
  store->configure_queues(small);
  NewTask failing = task();
  failing.spec.queue = "small";
  std::vector<TaskId> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(submit(failing));
    finish(claim(), OutcomeKind::exited, 1);
  }
  const auto refused = control(Verb::retry, ids);
  REQUIRE(std::holds_alternative<QueueFull>(refused));
  CHECK(std::get<QueueFull>(refused).queue == "small");
  CHECK(std::get<QueueFull>(refused).capacity == 2);
  CHECK(state(ids[0]) == State::failed);
  CHECK(changed(control(Verb::retry, {ids[0], ids[1]})).size() == 2);
  CHECK(std::holds_alternative<QueueFull>(control(Verb::retry, std::vector<TaskId>{ids[2]})));
  CHECK(control(Verb::hold, ids[0]).state == State::held);  // it was waiting already
}

TEST_CASE_FIXTURE(Fixture, "a retry of a filter fills the queue up, and says how far it came") {
  std::get<Submitted>(try_submit(std::vector<NewTask>(1300, task())));
  Filter all;
  changed(store->control(by_filter(Verb::cancel, all)));
  const QueuePatch smaller[] = {{"default", 700}};
  store->configure_queues(smaller);
  const auto result = store->control(by_filter(Verb::retry, all));
  REQUIRE(std::holds_alternative<QueueFull>(result));
  CHECK(std::get<QueueFull>(result).changed == 700);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 700);
  CHECK(state(700) == State::queued);
  CHECK(state(701) == State::cancelled);
}

TEST_CASE_FIXTURE(Fixture, "each commit of a filter is told before the next") {
  std::get<Submitted>(try_submit(std::vector<NewTask>(1200, task())));
  ControlRequest request = by_filter(Verb::cancel, {});
  std::size_t told = 0;
  request.on_commit = [&](std::span<const ControlChange> chunk) {
    told += chunk.size();
    CHECK(number("SELECT count(*) FROM tasks WHERE state = 'cancelled'") ==
          static_cast<std::int64_t>(told));
  };
  CHECK(changed(store->control(request)).size() == 1200);
  CHECK(told == 1200);
}

TEST_CASE_FIXTURE(Fixture, "hold and release go back to where the task belongs") {
  NewTask later = task();
  later.delay_ms = 1000;
  const TaskId now = submit();
  const TaskId soon = submit(later);
  CHECK(control(Verb::hold, now).state == State::held);
  CHECK(control(Verb::hold, now).state == State::held);
  CHECK(control(Verb::hold, soon).state == State::held);
  CHECK(store->claim(9).claims.empty());
  CHECK(control(Verb::release, now).state == State::queued);
  CHECK(control(Verb::release, soon).state == State::scheduled);
  control(Verb::hold, soon);
  clock.wall_ms += 1000;
  CHECK(control(Verb::release, soon).state == State::queued);
  CHECK(std::holds_alternative<WrongState>(control(Verb::release, std::vector<TaskId>{soon})));
  claim();
  CHECK(std::holds_alternative<WrongState>(control(Verb::hold, std::vector<TaskId>{now})));
}

TEST_CASE_FIXTURE(Fixture, "removing an ended task removes all its rows") {
  NewTask labelled = task();
  labelled.spec.labels = {{"a", "b"}};
  const TaskId id = submit(labelled);
  CHECK(std::holds_alternative<WrongState>(control(Verb::remove, std::vector<TaskId>{id})));
  finish(claim());
  const ControlChange removed = control(Verb::remove, id);
  CHECK(removed.state == State::succeeded);
  CHECK(removed.attempts == 1);
  CHECK_FALSE(store->get(kRoot, id).has_value());
  for (const char* table : {"tasks", "task_specs", "task_labels", "attempts"}) {
    CHECK(number(std::string("SELECT count(*) FROM ") + table) == 0);
  }
  CHECK(events_of(id).back() == "removed");
}

TEST_CASE_FIXTURE(Fixture, "a list of ids changes all of them, or none") {
  const TaskId waiting = submit();
  const TaskId running = submit(task(5));
  claim();
  CHECK(std::holds_alternative<WrongState>(control(Verb::hold, {waiting, running})));
  CHECK(state(waiting) == State::queued);
  const auto missing = control(Verb::cancel, {waiting, 999});
  REQUIRE(std::holds_alternative<NotFound>(missing));
  CHECK(std::get<NotFound>(missing).id == 999);
  CHECK(state(waiting) == State::queued);
  CHECK(changed(control(Verb::cancel, {waiting, running, waiting})).size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "another's task is not there, but for an admin") {
  const TaskId alices = submit();
  CHECK(std::holds_alternative<NotFound>(control(Verb::cancel, {alices}, kBob)));
  CHECK(changed(control(Verb::hold, {alices}, kRoot)).size() == 1);
  CHECK(number("SELECT actor_uid FROM events WHERE type = 'held'") == 0);
  CHECK_FALSE(store->get(kBob, alices).has_value());
  CHECK_FALSE(store->last(kBob).has_value());
  CHECK(store->last(kAlice) == alices);
}

TEST_CASE_FIXTURE(Fixture, "a filter changes what the verb applies to, over many commits") {
  std::get<Submitted>(try_submit(std::vector<NewTask>(1700, task())));
  const TaskId bobs = submit(task(), kBob);
  const Claim running = claim();
  finish(claim());
  auto result = changed(store->control(by_filter(Verb::hold, {})));
  CHECK(result.size() == 1698);
  CHECK(state(bobs) == State::queued);
  CHECK(state(running.task) == State::running);
  Filter held;
  held.states = {State::held, State::succeeded};
  result = changed(store->control(by_filter(Verb::cancel, held)));
  CHECK(result.size() == 1698);  // what succeeded cannot be cancelled and is passed over
  CHECK(state(running.task) == State::running);
  CHECK(changed(store->control(by_filter(Verb::release, {}))).empty());
  CHECK(changed(store->control(by_filter(Verb::remove, {}, kRoot))).size() == 1699);
  CHECK(number("SELECT count(*) FROM tasks") == 2);
}

TEST_CASE_FIXTURE(Fixture, "what is named beside a range is changed, however much it is") {
  std::get<Submitted>(try_submit(std::vector<NewTask>(1700, task())));
  ControlRequest request = by_filter(Verb::cancel, {});
  for (TaskId id = 1; id <= 1500; ++id) request.ids.push_back(id);
  request.filter->ids = {{1600, 1650}};
  CHECK(changed(store->control(request)).size() == 1551);
  CHECK(state(1500) == State::cancelled);
  CHECK(state(1501) == State::queued);
}

TEST_CASE_FIXTURE(Fixture, "a filter looks at queue, name, labels and age") {
  const QueuePatch q[] = {{"q", 100}};
  store->configure_queues(q);
  NewTask wanted = task();
  wanted.spec.queue = "q";
  wanted.spec.name = "n";
  wanted.spec.labels = {{"a", "1"}, {"b", "2"}};
  std::vector<NewTask> others(4, wanted);
  others[0].spec.queue = "default";
  others[1].spec.name = "m";
  others[2].spec.labels = {{"a", "1"}};
  others[3].spec.labels = {{"a", "1"}, {"b", "3"}};
  for (const NewTask& other : others) submit(other);
  submit(wanted);
  clock.wall_ms += 1000;
  const TaskId id = submit(wanted);
  Filter filter;
  filter.queue = "q";
  filter.name = "n";
  filter.labels = {{"a", "1"}, {"b", "2"}};
  filter.since = clock.wall_now();
  const auto result = changed(store->control(by_filter(Verb::cancel, filter)));
  REQUIRE(result.size() == 1);
  CHECK(result[0].id == id);
}

TEST_CASE_FIXTURE(Fixture, "a filter and the workers may work on the same tasks") {
  std::get<Submitted>(try_submit(std::vector<NewTask>(3000, task())));
  std::atomic<bool> stop{false};
  std::thread worker([&] {
    while (!stop) {
      for (const Claim& claim : store->claim(3).claims) CHECK(finish(claim));
    }
  });
  Filter queued;
  queued.states = {State::queued};
  const auto result = changed(store->control(by_filter(Verb::cancel, queued)));
  stop = true;
  worker.join();
  for (const ControlChange& change : result) CHECK(change.state == State::cancelled);
  const std::int64_t succeeded = number("SELECT count(*) FROM tasks WHERE state = 'succeeded'");
  CHECK(static_cast<std::int64_t>(result.size()) + succeeded == 3000);
}

}  // namespace
}  // namespace taskd
