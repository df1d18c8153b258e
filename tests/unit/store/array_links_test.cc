// Dependencies on arrays as such: one link, however many tasks.
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct ArrayLinksFixture : Fixture {
  static NewTask array(std::int64_t count) {
    NewTask one = task();
    one.array = ArrayRange{1, count, 1, 0};
    return one;
  }
  static NewTask after(TaskId array, DependencyOn on = DependencyOn::ok) {
    NewTask one = task();
    one.spec.constraints.depends_on = {{array, on, true}};
    return one;
  }
  void update() {
    while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
    }
  }
};

TEST_CASE_FIXTURE(ArrayLinksFixture, "what comes after an array waits for all of it") {
  submit(array(3));
  const TaskId next = submit(after(1));
  CHECK(number("SELECT count(*) FROM dependencies") == 1);
  for (int i = 0; i < 3; ++i) {
    CHECK(state(next) == State::blocked);
    finish(claim());
  }
  CHECK(state(next) == State::queued);
  CHECK(state(submit(after(1))) == State::queued);
  CHECK(state(submit(after(1, DependencyOn::failed))) == State::cancelled);
}

TEST_CASE_FIXTURE(ArrayLinksFixture, "how an array ended is known when its last task has ended") {
  submit(array(2));
  const TaskId ok = submit(after(1));
  const TaskId any = submit(after(1, DependencyOn::any));
  const TaskId failed = submit(after(1, DependencyOn::failed));
  finish(claim(), OutcomeKind::exited, 1);
  for (const TaskId id : {ok, any, failed}) CHECK(state(id) == State::blocked);
  finish(claim());
  CHECK(get(ok).reason == Reason::dependency);
  CHECK(state(any) == State::queued);
  CHECK(state(failed) == State::queued);
  // Tried again, it has not ended any more.
  control(Verb::retry, 1);
  CHECK(state(ok) == State::blocked);
  finish(claim());
  CHECK(state(ok) == State::queued);
}

TEST_CASE_FIXTURE(ArrayLinksFixture,
                  "a failure counts although its task was removed before the end") {
  submit(array(2));
  const TaskId ok = submit(after(1));
  finish(claim(), OutcomeKind::exited, 1);
  control(Verb::remove, 1);
  finish(claim());
  CHECK(get(ok).reason == Reason::dependency);
}

TEST_CASE_FIXTURE(ArrayLinksFixture, "links keep what an array meant after it is gone") {
  submit(array(2));
  NewTask both = after(1);
  both.spec.constraints.depends_on.push_back({3, DependencyOn::ok});
  submit();
  const TaskId next = submit(both);
  finish(claim());
  finish(claim());
  control(Verb::remove, {1, 2});
  CHECK(number("SELECT count(*) FROM arrays") == 0);
  CHECK(state(next) == State::blocked);
  finish(claim());
  CHECK(state(next) == State::queued);
}

TEST_CASE_FIXTURE(ArrayLinksFixture, "an array that was not needed is no failure") {
  submit();
  NewTask fallback = array(2);
  fallback.spec.constraints.depends_on = {{1, DependencyOn::failed}};
  submit(fallback);
  const TaskId ok = submit(after(2));
  const TaskId failed = submit(after(2, DependencyOn::failed));
  finish(claim());
  CHECK(state(2) == State::cancelled);
  CHECK(state(ok) == State::cancelled);
  CHECK(state(failed) == State::cancelled);
}

TEST_CASE_FIXTURE(ArrayLinksFixture, "one task may come after an array and after its first index") {
  submit(array(2));
  NewTask both = after(1, DependencyOn::any);
  both.spec.constraints.depends_on.push_back({1, DependencyOn::failed});
  const TaskId next = submit(both);
  finish(claim(), OutcomeKind::exited, 1);
  CHECK(state(next) == State::blocked);
  finish(claim());
  CHECK(state(next) == State::queued);
  CHECK(get(next).spec.constraints.depends_on == both.spec.constraints.depends_on);
}

TEST_CASE_FIXTURE(ArrayLinksFixture,
                  "very many wait for an array, and it stays until all were told") {
  submit(array(1));
  std::vector<NewTask> many(2'000, after(1));
  try_submit(many);
  finish(claim());
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'blocked'") > 0);
  clock.wall_ms += 40 * 24 * 3600 * 1000LL;
  store->prune(clock.wall_now(), 10);
  CHECK(number("SELECT count(*) FROM tasks WHERE id = 1") == 1);
  update();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 2'000);
  store->prune(clock.wall_now(), 10);
  CHECK(number("SELECT count(*) FROM tasks WHERE id = 1") == 0);
}

TEST_CASE_FIXTURE(ArrayLinksFixture, "an array of another user is no dependency") {
  submit(array(2), kBob);
  CHECK(std::holds_alternative<UnknownDependency>(try_submit({after(1)})));
  CHECK(std::holds_alternative<UnknownDependency>(try_submit({after(9)})));
}

}  // namespace
}  // namespace taskd
