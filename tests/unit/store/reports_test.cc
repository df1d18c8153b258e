#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct ReportsFixture : Fixture {
  AttemptKey run() {
    const Claim claimed = claim();
    return {claimed.task, claimed.attempt, claimed.token};
  }
  void write(const AttemptKey& attempt, const Progress& progress) {
    const ProgressReport report{attempt, progress, clock.wall_now()};
    store->write_progress({&report, 1});
  }
  void finish(const AttemptKey& attempt, std::optional<std::string> result = {}, int code = 0) {
    Finish end;
    end.task = attempt.task;
    end.attempt = attempt.attempt;
    end.token = attempt.token;
    end.end.outcome = {OutcomeKind::exited, code, ""};
    end.end.result = std::move(result);
    CHECK(store->finish({&end, 1}, 0).at(0).accepted);
  }
};

TEST_CASE_FIXTURE(ReportsFixture, "what a report of progress leaves out stays as it was") {
  const TaskId id = submit();
  const AttemptKey attempt = run();
  CHECK_FALSE(get(id).progress);
  write(attempt, {});
  CHECK(get(id).progress == Progress{});
  write(attempt, {10, "begun"});
  clock.wall_ms += 5;
  write(attempt, {20, {}});
  CHECK(get(id).progress == Progress{20, "begun"});
  CHECK(get(id).progress_at == clock.wall_now());
  restart();
  write(attempt, {{}, "going on"});
  CHECK(get(id).progress == Progress{20, "going on"});
}

TEST_CASE_FIXTURE(ReportsFixture, "late progress counts until the next attempt begins") {
  NewTask twice = task();
  twice.spec.max_attempts = 2;
  twice.spec.backoff.initial_ms = 0;
  const TaskId id = submit(twice);
  const AttemptKey first = run();
  finish(first, {}, 1);
  write(first, {99, {}});
  CHECK(get(id).progress->percent == 99);
  store->promote(clock.wall_now(), 10);
  run();
  CHECK_FALSE(get(id).progress);
  write(first, {100, {}});
  CHECK_FALSE(get(id).progress);
}

TEST_CASE_FIXTURE(ReportsFixture, "a result is set by a live attempt under its token alone") {
  const TaskId id = submit();
  const AttemptKey attempt = run();
  CHECK(store->set_result(attempt, "{\"n\":1}"));
  CHECK(store->set_result(attempt, "{\"n\":2}"));
  CHECK_FALSE(store->set_result({id, 1, "guess"}, "3"));
  CHECK_FALSE(store->set_result({id, 2, attempt.token}, "3"));
  CHECK_FALSE(store->set_result({id + 1, 1, attempt.token}, "3"));
  CHECK(store->result_of(id) == "{\"n\":2}");
  finish(attempt);
  CHECK_FALSE(store->set_result(attempt, "3"));
  restart();
  CHECK(store->result_of(id) == "{\"n\":2}");
  CHECK(store->result(id)->attempt == 1);
}

TEST_CASE_FIXTURE(ReportsFixture, "the result that an end brings replaces an earlier one") {
  const TaskId id = submit();
  const AttemptKey attempt = run();
  CHECK(store->set_result(attempt, "1"));
  finish(attempt, "2");
  CHECK(store->result_of(id) == "2");
}

TEST_CASE_FIXTURE(ReportsFixture, "a result goes with a new attempt, and with the task") {
  const TaskId id = submit();
  finish(run(), "1");
  control(Verb::retry, id);
  CHECK(store->result_of(id) == "1");
  const AttemptKey second = run();
  CHECK_FALSE(store->result_of(id));
  finish(second, "2");
  control(Verb::remove, id);
  CHECK_FALSE(store->result_of(id));
  CHECK(number("SELECT count(*) FROM task_results") == 0);
}

TEST_CASE_FIXTURE(ReportsFixture, "a wish to signal is noted, of running tasks alone") {
  const TaskId id = submit();
  CHECK(std::holds_alternative<WrongState>(control(Verb::signal, std::vector<TaskId>{id})));
  const AttemptKey attempt = run();
  CHECK(control(Verb::signal, id).state == State::running);
  CHECK(events_of(id) == std::vector<std::string>{"submitted", "claimed", "signaled"});
  CHECK(std::holds_alternative<NotFound>(control(Verb::signal, {id}, kBob)));
  finish(attempt);
  CHECK(std::holds_alternative<WrongState>(control(Verb::signal, std::vector<TaskId>{id})));
}

}  // namespace
}  // namespace taskd
