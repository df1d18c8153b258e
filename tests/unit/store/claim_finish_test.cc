#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

TEST_CASE_FIXTURE(Fixture, "claims come in the order of priority, then of submission") {
  const TaskId low = submit(task(-10));
  const TaskId first = submit(task());
  const TaskId second = submit(task());
  const TaskId high = submit(task(10));
  std::vector<TaskId> order;
  for (const Claim& claim : store->claim(3).claims) order.push_back(claim.task);
  CHECK(order == std::vector<TaskId>{high, first, second});
  CHECK(claim().task == low);
  CHECK(store->claim(5).claims.empty());
}

TEST_CASE_FIXTURE(Fixture, "a claim says what to run, as whom, and under which token") {
  NewTask as_other = task();
  as_other.spec.user_uid = 42;
  as_other.spec.labels = {{"k", "v"}};
  const TaskId id = submit(as_other, kRoot);
  const Claim claimed = claim();
  CHECK(claimed.task == id);
  CHECK(claimed.attempt == 1);
  CHECK(claimed.token.size() == 32);
  CHECK(claimed.uid == kRoot.uid);  // whose it is; the spec says whom it runs as
  CHECK(claimed.secret.size() == 32);
  CHECK(claimed.secret != claimed.token);
  CHECK(claimed.spec == as_other.spec);
  const Task running = get(id);
  CHECK(running.state == State::running);
  CHECK(running.attempt == 1);
  CHECK(running.started_at == clock.wall_now());
  submit();
  CHECK(claim().uid == kAlice.uid);
}

TEST_CASE_FIXTURE(Fixture, "exit 0 is success, and the attempt keeps what is known of it") {
  const TaskId id = submit();
  Finish end = end_of(claim());
  clock.wall_ms += 500;
  end.end.usage = {10, 20, 30};
  end.end.stderr_tail = "a warning";
  end.end.ended_at = clock.wall_now() + -100;
  CHECK(store->finish({&end, 1}, 0).at(0).accepted);
  const Task ended = get(id);
  CHECK(ended.state == State::succeeded);
  CHECK(ended.ended_at == end.end.ended_at);
  CHECK(ended.last_outcome == end.end.outcome);
  const auto attempts = store->attempts(id);
  REQUIRE(attempts.size() == 1);
  CHECK(attempts[0].number == 1);
  CHECK(attempts[0].token == end.token);
  CHECK(attempts[0].boot_id == "boot-1");
  CHECK(attempts[0].ended_at == end.end.ended_at);
  CHECK(attempts[0].usage == end.end.usage);
  CHECK(attempts[0].stderr_tail == "a warning");
  CHECK(events_of(id) == std::vector<std::string>{"submitted", "claimed", "finished"});
  CHECK(take_changes().back().act_at == *ended.ended_at + ended.spec.keep_ms);
}

TEST_CASE_FIXTURE(Fixture, "finishing and claiming the next are one commit") {
  submit();
  const TaskId next = submit();
  const Finish end = end_of(claim());
  take_changes();
  const auto results = store->finish({&end, 1}, 1);
  REQUIRE(results.at(0).next.claims.size() == 1);
  CHECK(results[0].next.claims[0].task == next);
  const auto told = take_changes();
  REQUIRE(told.size() == 2);
  CHECK(told[0].to == State::succeeded);
  CHECK(told[1].to == State::running);
}

TEST_CASE_FIXTURE(Fixture, "a commit claims what it lets start for as many workers as are idle") {
  idle = 2;
  std::get<Submitted>(try_submit({task(), task(9), task(1)}));
  REQUIRE(handed.size() == 1);
  REQUIRE(handed[0]->claims.size() == 2);
  CHECK(handed[0]->claims[0].task == 2);
  CHECK(handed[0]->claims[1].task == 3);
  CHECK(handed[0]->claims[1].spec_text ==
        texts("SELECT spec FROM task_specs WHERE task_id = 3").at(0));
  CHECK(handed[0]->more);
  CHECK(state(1) == State::queued);
  CHECK(number("SELECT count(DISTINCT at_ms) FROM events") == 1);
  idle = 0;
  NewTask held = task();
  held.hold = true;
  const TaskId id = submit(held);
  idle = 1;
  control(Verb::hold, 1);
  CHECK(handed.size() == 2);  // what it kept back might have started, but nothing is queued
  CHECK(handed[1]->claims.empty());
  control(Verb::release, id);
  REQUIRE(handed.size() == 3);
  CHECK(handed[2]->claims.at(0).task == id);
  CHECK(finish(handed[2]->claims[0]));
}

TEST_CASE_FIXTURE(Fixture, "a worker that lost its lease cannot finish the task") {
  const TaskId id = submit();
  const Claim claimed = claim();
  Claim stale = claimed;
  stale.token = std::string(32, '0');
  CHECK_FALSE(finish(stale));
  stale = claimed;
  stale.attempt = 2;
  CHECK_FALSE(finish(stale));
  stale = claimed;
  stale.task = 999;
  CHECK_FALSE(finish(stale));
  CHECK(state(id) == State::running);
  CHECK(finish(claimed));
  CHECK_FALSE(finish(claimed));  // once
  CHECK(state(id) == State::succeeded);
  CHECK(number("SELECT count(*) FROM events WHERE type = 'stale_rejected'") == 4);
}

TEST_CASE_FIXTURE(Fixture, "a failure with tries left waits and runs again") {
  NewTask flaky = task();
  flaky.spec.max_attempts = 2;
  flaky.spec.backoff = {BackoffKind::constant, 4000, 4000, 0};
  const TaskId id = submit(flaky);
  CHECK(finish(claim(), OutcomeKind::exited, 3));
  Task waiting = get(id);
  CHECK(waiting.state == State::scheduled);
  CHECK(waiting.due_at == clock.wall_now() + 4000);
  CHECK(waiting.tries == 1);
  CHECK(waiting.last_outcome == Outcome{OutcomeKind::exited, 3, ""});
  CHECK(take_changes().back().act_at == waiting.due_at);
  clock.wall_ms += 4000;
  store->promote(clock.wall_now(), 10);
  const Claim second = claim();
  CHECK(second.attempt == 2);
  CHECK(finish(second, OutcomeKind::signaled, 9));
  const Task ended = get(id);
  CHECK(ended.state == State::failed);
  CHECK(ended.reason == Reason::signal);
  CHECK(ended.attempt == 2);
  CHECK(events_of(id) == std::vector<std::string>{"submitted", "claimed", "retry_scheduled", "due",
                                                  "claimed", "finished"});
  CHECK(texts("SELECT detail FROM events WHERE type = 'finished'").at(0) ==
        "outcome=signaled code=9 reason=signal");
}

TEST_CASE_FIXTURE(Fixture, "a lost attempt runs again without spending a try, then poisons") {
  NewTask unlucky = task();
  unlucky.spec.max_lost = 1;
  const TaskId id = submit(unlucky);
  CHECK(finish(claim(), OutcomeKind::lost));
  Task again = get(id);
  CHECK(again.state == State::queued);
  CHECK(again.tries == 0);
  CHECK(again.lost == 1);
  CHECK(finish(claim(), OutcomeKind::lost));
  CHECK(get(id).reason == Reason::poison);
  CHECK(store->attempts(id).size() == 2);
}

TEST_CASE_FIXTURE(Fixture, "an attempt that never started leaves no trace but its events") {
  NewTask flaky = task();
  flaky.spec.max_attempts = 2;
  flaky.spec.backoff = {BackoffKind::constant, 1, 1, 0};
  const TaskId id = submit(flaky);
  const WallTime first_start = clock.wall_now();
  CHECK(finish(claim(), OutcomeKind::exited, 1));
  clock.wall_ms += 10;
  store->promote(clock.wall_now(), 10);
  const Claim never = claim();
  CHECK(never.attempt == 2);
  CHECK(finish(never, OutcomeKind::not_started));
  const Task back = get(id);
  CHECK(back.state == State::queued);
  CHECK(back.attempt == 1);
  CHECK(back.tries == 1);
  CHECK(back.started_at == first_start);
  CHECK(back.last_outcome == Outcome{OutcomeKind::exited, 1, ""});
  CHECK(store->attempts(id).size() == 1);
  const Claim second = claim();
  CHECK(second.attempt == 2);  // the number is used again …
  CHECK(second.token != never.token);
  CHECK_FALSE(finish(never));  // … under another token
  CHECK(finish(second));
}

TEST_CASE_FIXTURE(Fixture, "refused starts wait ever longer, until one goes well") {
  NewTask flaky = task();
  flaky.spec.max_attempts = 9;
  const TaskId id = submit(flaky);
  const auto refuse = [&] {
    CHECK(finish(claim(), OutcomeKind::not_started, EACCES));
    const std::int64_t delay_ms = *get(id).due_at - clock.wall_now();
    clock.wall_ms += 120'000;
    store->promote(clock.wall_now(), 1);
    return delay_ms;
  };
  CHECK(refuse() <= 1100);
  CHECK(refuse() >= 1800);
  restart();
  CHECK(refuse() >= 3600);
  for (int i = 0; i < 5; ++i) refuse();
  const std::int64_t longest_ms = refuse();
  CHECK(longest_ms >= 54'000);
  CHECK(longest_ms <= 66'000);
  CHECK(finish(claim(), OutcomeKind::exited, 1));
  clock.wall_ms += 120'000;
  store->promote(clock.wall_now(), 1);
  CHECK(refuse() <= 1100);
}

TEST_CASE_FIXTURE(Fixture, "a first attempt that never started and was cancelled is cancelled") {
  const TaskId id = submit();
  const Claim claimed = claim();
  control(Verb::cancel, id);
  CHECK(finish(claimed, OutcomeKind::not_started));
  CHECK(state(id) == State::cancelled);
  CHECK(get(id).attempt == 0);
  CHECK_FALSE(get(id).started_at.has_value());
}

TEST_CASE_FIXTURE(Fixture, "many ends in one call are judged one by one") {
  submit();
  submit();
  const Claim a = claim();
  const Claim b = claim();
  Finish stale = end_of(a);
  stale.token = "x";
  const Finish finishes[] = {stale, end_of(a), end_of(b, OutcomeKind::exited, 1)};
  const auto results = store->finish(finishes, 0);
  REQUIRE(results.size() == 3);
  CHECK_FALSE(results[0].accepted);
  CHECK(results[1].accepted);
  CHECK(results[2].accepted);
  CHECK(store->finish({}, 1).empty());
}

TEST_CASE_FIXTURE(Fixture, "what was running is found after a restart, and can be adopted") {
  submit();
  const TaskId other = submit();
  const auto claims = store->claim(2).claims;
  control(Verb::cancel, other);
  const auto before = store->generation();
  restart();
  CHECK(store->generation() == before + 1);
  const auto running = store->running_attempts();
  REQUIRE(running.size() == 2);
  CHECK(running[0].task == claims[0].task);
  CHECK(running[0].token == claims[0].token);
  CHECK(running[0].boot_id == "boot-1");
  CHECK_FALSE(running[0].cancel_requested);
  CHECK(running[1].cancel_requested);
  store->record_adopted(running[0].task, running[0].attempt, running[0].token);
  store->record_adopted(running[1].task, running[1].attempt, "other token");
  CHECK(events_of(running[0].task).back() == "adopted");
  CHECK(events_of(running[1].task).back() == "stale_rejected");
  CHECK(number("SELECT count(DISTINCT generation) FROM events") == 2);
  CHECK(number("SELECT count(*) FROM events WHERE type = 'daemon_started'") == 2);
}

}  // namespace
}  // namespace taskd
