// Tasks that wait for others.
#include <numeric>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

using Ids = std::vector<TaskId>;

struct DependenciesFixture : Fixture {
  // The first task, and so many that depend on it.
  void submit_family(std::size_t dependants) {
    submit();
    std::vector<NewTask> many(dependants, task());
    for (NewTask& one : many) one.spec.constraints.depends_on = {ok(1)};
    try_submit(many);
  }
  void tell_all() {
    while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
    }
  }
  TaskId submit_after(std::vector<Dependency> on,
                      OnDependencyFailed policy = OnDependencyFailed::fail) {
    NewTask one = task();
    one.spec.constraints.depends_on = std::move(on);
    one.spec.constraints.on_dependency_failed = policy;
    return submit(one);
  }
  static Dependency ok(TaskId id) { return {id, DependencyOn::ok}; }
  void run(TaskId id, int code = 0) {
    const Claim taken = claim();
    REQUIRE(taken.task == id);
    CHECK(finish(taken, OutcomeKind::exited, code));
  }
};

TEST_CASE_FIXTURE(DependenciesFixture, "a task starts once all that it depends on have succeeded") {
  submit();
  submit();
  submit_after({ok(1), ok(2)});
  CHECK(state(3) == State::blocked);
  run(1);
  CHECK(state(3) == State::blocked);
  restart();
  run(2);
  CHECK(state(3) == State::queued);
  run(3);
  CHECK(state(3) == State::succeeded);
}

TEST_CASE_FIXTURE(DependenciesFixture, "finishing a task lets the same commit claim what waited") {
  submit();
  submit_after({ok(1)});
  const Finish one = end_of(claim());
  const auto results = store->finish({&one, 1}, 1);
  REQUIRE(results.at(0).next.claims.size() == 1);
  CHECK(results.at(0).next.claims.at(0).task == 2);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "what becomes of a failed task's dependants is their policy") {
  submit();
  submit_after({ok(1)});
  submit_after({ok(1)}, OnDependencyFailed::cancel);
  submit_after({ok(1)}, OnDependencyFailed::run);
  submit_after({{1, DependencyOn::any}});
  submit_after({{1, DependencyOn::failed}});
  submit_after({ok(2)});
  run(1, 7);
  CHECK(state(2) == State::failed);
  CHECK(get(2).reason == Reason::dependency);
  CHECK(get(2).attempt == 0);
  CHECK(state(3) == State::cancelled);
  CHECK(state(4) == State::queued);
  CHECK(state(5) == State::queued);
  CHECK(state(6) == State::queued);
  CHECK(state(7) == State::failed);
}

TEST_CASE_FIXTURE(
    DependenciesFixture,
    "who waits for a failure that does not come is cancelled, and who waits for that") {
  constexpr auto cancel = OnDependencyFailed::cancel;
  submit();
  submit_after({{1, DependencyOn::failed}});          // 2: not needed
  submit_after({{1, DependencyOn::failed}}, cancel);  // 3: neither
  submit_after({{1, DependencyOn::failed}}, OnDependencyFailed::run);
  run(1);
  CHECK(state(2) == State::cancelled);
  CHECK(state(3) == State::cancelled);
  CHECK(state(4) == State::queued);
  // Nor is what comes after them, now or later, whatever its policy; nothing has failed.
  CHECK(state(submit_after({ok(2)})) == State::cancelled);
  CHECK(state(submit_after({ok(3)})) == State::cancelled);
  CHECK(state(submit_after({{2, DependencyOn::failed}})) == State::cancelled);
  CHECK(state(submit_after({ok(5)}, cancel)) == State::cancelled);
  CHECK(state(submit_after({ok(8)})) == State::cancelled);
  CHECK(state(submit_after({{8, DependencyOn::any}})) == State::queued);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "a retry of the parent lets wait again what was not needed") {
  submit();
  submit_after({{1, DependencyOn::failed}});
  submit_after({ok(2)});
  run(1);
  REQUIRE(state(3) == State::cancelled);
  control(Verb::retry, 1);
  CHECK(state(2) == State::blocked);
  CHECK(state(3) == State::blocked);
  run(1, 1);
  run(2);
  run(3);
  CHECK(state(3) == State::succeeded);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a filter's retry leaves alone what was not needed") {
  submit();
  submit_after({{1, DependencyOn::failed}});
  submit_after({ok(2)});
  run(1);
  ControlRequest request;
  request.actor = {.uid = 1000, .admin = false};
  request.verb = Verb::retry;
  request.filter.emplace().states = {State::cancelled};
  request.dry_run = true;
  CHECK(std::get<Preview>(store->control(request)).count == 0);
  request.dry_run = false;
  CHECK(std::get<std::vector<ControlChange>>(store->control(request)).empty());
  CHECK(state(2) == State::cancelled);
  // Who names it wants it to run.
  control(Verb::retry, 2);
  CHECK(state(2) == State::queued);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a failure counts for more than one that did not come") {
  submit();
  submit();
  submit_after({{1, DependencyOn::failed}, ok(2)});
  run(1);
  CHECK(state(3) == State::cancelled);
  run(2, 1);
  CHECK(state(3) == State::cancelled);  // as it was already
  CHECK(state(submit_after({{1, DependencyOn::failed}, ok(2)})) == State::failed);
  CHECK(state(submit_after({ok(2), {1, DependencyOn::failed}})) == State::failed);
}

TEST_CASE_FIXTURE(DependenciesFixture, "what its policy cancelled takes along what needs it") {
  submit();
  submit_after({ok(1)}, OnDependencyFailed::cancel);
  submit_after({ok(2)});
  submit_after({{2, DependencyOn::failed}});
  run(1, 1);
  CHECK(state(2) == State::cancelled);
  CHECK(state(3) == State::cancelled);
  CHECK(state(4) == State::cancelled);
  control(Verb::retry, 1);
  for (const TaskId id : {2, 3, 4}) CHECK(state(id) == State::blocked);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a dependency that has ended counts as it ended") {
  submit();
  run(1);
  submit();
  run(2, 1);
  CHECK(state(submit_after({ok(1)})) == State::queued);
  CHECK(state(submit_after({ok(2)})) == State::failed);
  CHECK(state(submit_after({ok(2)}, OnDependencyFailed::cancel)) == State::cancelled);
}

TEST_CASE_FIXTURE(DependenciesFixture, "retrying what failed reopens what failed with it") {
  submit();
  submit_after({ok(1)});
  submit_after({ok(2)}, OnDependencyFailed::cancel);
  run(1, 1);
  CHECK(state(3) == State::cancelled);
  control(Verb::retry, 1);
  CHECK(state(2) == State::blocked);
  CHECK(state(3) == State::blocked);
  run(1);
  run(2);
  run(3);
  CHECK(state(3) == State::succeeded);
}

TEST_CASE_FIXTURE(DependenciesFixture, "of two failures both must be retried") {
  submit();
  submit();
  submit_after({ok(1), ok(2)});
  run(1, 1);
  run(2, 1);
  control(Verb::retry, 2);
  CHECK(state(3) == State::failed);
  control(Verb::retry, 1);
  CHECK(state(3) == State::blocked);
}

TEST_CASE_FIXTURE(DependenciesFixture, "retrying parent and dependant together runs them in turn") {
  submit();
  submit_after({ok(1)});
  run(1, 1);
  control(Verb::retry, std::vector<TaskId>{2, 1});
  CHECK(state(1) == State::queued);
  CHECK(state(2) == State::blocked);
}

TEST_CASE_FIXTURE(
    DependenciesFixture,
    "a task tried again together with the first of its chain waits for the one between") {
  submit();
  submit_after({ok(1)});
  submit_after({ok(2)});
  run(1, 1);
  control(Verb::retry, std::vector<TaskId>{1, 3});
  CHECK(state(1) == State::queued);
  CHECK(state(2) == State::blocked);
  CHECK(state(3) == State::blocked);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a person's retry runs a task whatever it waited for") {
  submit();
  submit_after({ok(1)});
  run(1, 1);
  control(Verb::retry, 2);
  CHECK(state(2) == State::queued);
  run(2, 3);
  control(Verb::retry, 1);
  CHECK(state(2) == State::failed);
  CHECK(get(2).reason == Reason::exit);
}

TEST_CASE_FIXTURE(DependenciesFixture, "what a person cancelled is not reopened") {
  submit();
  submit_after({ok(1)}, OnDependencyFailed::cancel);
  control(Verb::cancel, 2);
  run(1, 1);
  control(Verb::retry, 1);
  CHECK(state(2) == State::cancelled);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "a held task waits for the person and for its dependencies") {
  submit();
  NewTask one = task();
  one.spec.constraints.depends_on = {ok(1)};
  one.hold = true;
  submit(one);
  CHECK(state(2) == State::held);
  control(Verb::release, 2);
  CHECK(state(2) == State::blocked);
  control(Verb::hold, 2);
  run(1);
  CHECK(state(2) == State::held);
  control(Verb::release, 2);
  CHECK(state(2) == State::queued);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a dependency and a delay must both have passed") {
  submit();
  NewTask one = task();
  one.spec.constraints.depends_on = {ok(1)};
  one.delay_ms = 5000;
  submit(one);
  run(1);
  CHECK(state(2) == State::scheduled);
  clock.wall_ms += 5000;
  store->promote(clock.wall_now(), 10);
  CHECK(state(2) == State::queued);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a cancelled dependency has not succeeded") {
  submit();
  submit_after({ok(1)});
  submit_after({{1, DependencyOn::failed}});
  control(Verb::cancel, 1);
  CHECK(state(2) == State::failed);
  CHECK(state(3) == State::queued);
}

TEST_CASE_FIXTURE(DependenciesFixture, "very many dependants are told bit by bit, over a restart") {
  submit();
  std::vector<NewTask> many(1200, task());
  for (NewTask& one : many) one.spec.constraints.depends_on = {ok(1)};
  try_submit(many);
  run(1, 1);
  const std::string failed = "SELECT count(*) FROM tasks WHERE reason = 'dependency'";
  CHECK(number(failed) == 500);
  restart();
  while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
  }
  CHECK(number(failed) == 1200);
  CHECK(number("SELECT count(*) FROM links_to_update") == 0);
  control(Verb::retry, 1);
  while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
  }
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'blocked'") == 1200);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "a retry that succeeds before all dependants were told reopens them all") {
  submit_family(1200);
  run(1, 1);
  tell_all();
  control(Verb::retry, 1);
  run(1);
  tell_all();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1200);
  CHECK(number("SELECT count(*) FROM links_to_update") == 0);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "a retry of very many together starts none before what it depends on") {
  submit_family(1200);
  run(1, 1);
  tell_all();
  std::vector<TaskId> all(1201);
  std::iota(all.begin(), all.end(), 1);
  control(Verb::retry, all);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'blocked'") == 1200);
  run(1);
  tell_all();
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'queued'") == 1200);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a cancel of very many starts none that waits for an end") {
  submit();
  std::vector<NewTask> many(1200, task());
  for (NewTask& one : many) one.spec.constraints.depends_on = {{1, DependencyOn::any}};
  try_submit(many);
  bool any_queued = false;
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::cancel;
  request.filter.emplace();
  request.on_commit = [&](std::span<const ControlChange>) {
    any_queued |= number("SELECT count(*) FROM tasks WHERE state = 'queued' AND id > 1") > 0;
  };
  store->control(request);
  CHECK_FALSE(any_queued);
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'cancelled'") == 1201);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a long chain falls to its end") {
  submit();
  for (TaskId id = 1; id < 1100; ++id) submit_after({ok(id)});
  run(1, 1);
  while (store->promote(clock.wall_now(), 10) == clock.wall_now()) {
  }
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'failed'") == 1100);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a removed dependency has ended as it ended") {
  submit();
  submit_after({ok(1)}, OnDependencyFailed::fail);
  control(Verb::hold, 2);
  run(1);
  control(Verb::remove, 1);
  control(Verb::release, 2);
  CHECK(state(2) == State::queued);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a task stays until all that wait for it were told") {
  NewTask brief = task();
  brief.spec.keep_ms = 0;
  submit(brief);
  std::vector<NewTask> many(1200, task());
  for (NewTask& one : many) one.spec.constraints.depends_on = {ok(1)};
  try_submit(many);
  const TaskId other = submit(brief);
  run(1, 1);
  control(Verb::cancel, other);
  clock.wall_ms += 10'000;
  largest_commit = 0;
  const auto pruned = store->prune(clock.wall_now(), 1);
  REQUIRE(pruned.tasks.size() == 1);
  CHECK(pruned.tasks[0].id == other);
  CHECK(pruned.next > clock.wall_now());
  tell_all();
  CHECK(store->prune(clock.wall_now(), 1).tasks.size() == 1);
  CHECK(largest_commit < 600);
  CHECK(number("SELECT count(*) FROM tasks WHERE reason = 'dependency'") == 1200);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a remove tells very many dependants bit by bit before it") {
  for (const bool by_filter : {false, true}) {
    const TaskId first = store->newest_id() + 1;
    for (int family = 0; family < 2; ++family) {
      const TaskId parent = submit();
      std::vector<NewTask> many(1200, task());
      for (NewTask& one : many) one.spec.constraints.depends_on = {ok(parent)};
      try_submit(many);
      run(parent, 1);
    }
    const std::int64_t failed = number("SELECT count(*) FROM tasks WHERE reason = 'dependency'");
    CHECK(failed == 1000);
    largest_commit = 0;
    ControlRequest request;
    request.actor = kAlice;
    request.verb = Verb::remove;
    if (by_filter) {
      request.filter.emplace();
      request.filter->reasons = {Reason::exit};
    } else {
      request.ids = {first, first + 1201};
    }
    store->control(request);
    CHECK(largest_commit < 600);
    CHECK_FALSE(store->get(kRoot, first));
    CHECK_FALSE(store->get(kRoot, first + 1201));
    CHECK(number("SELECT count(*) FROM tasks WHERE reason = 'dependency'") == 2400);
    CHECK(number("SELECT count(*) FROM links_to_update") == 0);
    if (!by_filter) {
      ControlRequest rest;
      rest.actor = kAlice;
      rest.verb = Verb::remove;
      rest.filter.emplace();
      store->control(rest);
    }
  }
}

TEST_CASE_FIXTURE(DependenciesFixture, "a task of somebody else is nobody's dependency") {
  submit(task(), kBob);
  NewTask one = task();
  one.spec.constraints.depends_on = {ok(1)};
  const SubmitResult refused = try_submit({task(), one}, kAlice);
  REQUIRE(std::holds_alternative<UnknownDependency>(refused));
  CHECK(std::get<UnknownDependency>(refused).index == 1);
  CHECK(std::get<UnknownDependency>(refused).task == 1);
  CHECK(number("SELECT count(*) FROM tasks") == 1);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "removing a task that was not needed leaves its dependants as they ended") {
  const HookRule rule{.name = "mail", .on = kTheEnds};
  hooks = {rule};
  restart();
  submit();
  submit_after({{1, DependencyOn::failed}});
  NewTask one = task();
  one.spec.constraints.depends_on = {{2, DependencyOn::failed}};
  one.spec.notify = {{"mail", {}}};
  submit(one);
  run(1);
  REQUIRE(state(3) == State::cancelled);
  const auto events = events_of(3);
  const auto ended_at = get(3).ended_at;
  clock.wall_ms += 1000;
  control(Verb::remove, 2);
  CHECK(get(3).ended_at == ended_at);
  CHECK(events_of(3) == events);
  CHECK(number("SELECT count(*) FROM deliveries WHERE task_id = 3") == 1);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "a task that was not needed is removed whatever the number of its dependants") {
  submit();
  submit_after({{1, DependencyOn::failed}});
  std::vector<NewTask> many(600, task());
  for (NewTask& one : many) one.spec.constraints.depends_on = {{2, DependencyOn::failed}};
  try_submit(many);
  run(1);
  tell_all();
  control(Verb::remove, 2);
  CHECK_FALSE(store->get(kRoot, 2));
  CHECK(number("SELECT count(*) FROM tasks WHERE state = 'cancelled'") == 600);
  CHECK(number("SELECT count(*) FROM events WHERE to_state = 'cancelled' AND task_id > 2") == 600);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "a task that was not needed is removed while its dependants lag behind") {
  submit();
  submit_after({{1, DependencyOn::failed}});
  std::vector<NewTask> many(1200, task());
  for (NewTask& one : many) one.spec.constraints.depends_on = {{2, DependencyOn::failed}};
  try_submit(many);
  run(1);
  const std::string cancelled = "SELECT count(*) FROM tasks WHERE state = 'cancelled' AND id > 2";
  REQUIRE(number(cancelled) < 1200);
  const std::int64_t reached = number("SELECT after_task FROM links_to_update");
  largest_commit = 0;
  control(Verb::remove, 2);
  CHECK(reached > 2);
  CHECK(largest_commit < 600);
  CHECK(number(cancelled) == 1200);
  CHECK(number("SELECT count(*) FROM events WHERE to_state = 'cancelled' AND task_id > 2") == 1200);
  CHECK(number("SELECT count(*) FROM links_to_update") == 0);
}

TEST_CASE_FIXTURE(DependenciesFixture, "families take turns while they lag behind") {
  for (int family = 0; family < 2; ++family) {
    const TaskId parent = submit();
    std::vector<NewTask> many(1600, task());
    for (NewTask& one : many) one.spec.constraints.depends_on = {ok(parent)};
    try_submit(many);
    run(parent, 1);
  }
  const std::string reached = "SELECT max(after_task) FROM links_to_update WHERE on_task = ";
  const std::int64_t first = number(reached + "1");
  const std::int64_t second = number(reached + "1602");
  store->promote(clock.wall_now(), 10);
  CHECK(number(reached + "1") > first);
  store->promote(clock.wall_now(), 10);
  CHECK(number(reached + "1602") > second);
  tell_all();
  CHECK(number("SELECT count(*) FROM tasks WHERE reason = 'dependency'") == 3200);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "of two ends in one commit a failure counts for more, whichever task is older") {
  for (const TaskId fails : {1, 2}) {
    const TaskId first = submit();
    const TaskId second = submit();
    const TaskId wanted = fails == 1 ? first : second;
    const TaskId other = fails == 1 ? second : first;
    const TaskId after = submit_after({ok(wanted), {other, DependencyOn::failed}});
    std::vector<Finish> finishes;
    for (const Claim& claim : store->claim(2).claims) {
      finishes.push_back(end_of(claim, OutcomeKind::exited, claim.task == wanted ? 1 : 0));
    }
    store->finish(finishes, 0);
    CHECK(state(after) == State::failed);
    CHECK(events_of(after) == std::vector<std::string>{"submitted", "dependency_failed"});
  }
}

TEST_CASE_FIXTURE(DependenciesFixture, "what was not needed stays so when its cause is removed") {
  submit();
  submit_after({{1, DependencyOn::failed}});
  submit_after({ok(2)});
  run(1);
  control(Verb::remove, 1);
  control(Verb::remove, 2);
  ControlRequest request;
  request.actor = kAlice;
  request.verb = Verb::retry;
  request.filter.emplace();
  CHECK(std::get<std::vector<ControlChange>>(store->control(request)).empty());
  CHECK(state(3) == State::cancelled);
}

TEST_CASE_FIXTURE(DependenciesFixture, "many new dependants of a failed task wake no older one") {
  submit_family(1200);
  run(1, 1);
  tell_all();
  largest_commit = 0;
  CHECK(state(submit_after({ok(1)})) == State::failed);
  CHECK(largest_commit < 5);
  CHECK(number("SELECT count(*) FROM links_to_update") == 0);
  std::vector<NewTask> many(1200, task());
  for (NewTask& one : many) one.spec.constraints.depends_on = {ok(1)};
  try_submit(many);
  tell_all();
  CHECK(number("SELECT count(*) FROM tasks WHERE reason = 'dependency'") == 2401);
  CHECK(number("SELECT count(*) FROM events WHERE type = 'dependency_failed'") == 2401);
}

TEST_CASE_FIXTURE(DependenciesFixture,
                  "dependencies are kept in their table alone, in the order they were named") {
  submit();
  submit();
  const std::vector<Dependency> on = {{2, DependencyOn::any}, {1, DependencyOn::ok}};
  submit_after(on, OnDependencyFailed::run);
  CHECK(get(3).spec.constraints.depends_on == on);
  CHECK(store->dependencies(3) == on);
  CHECK(number("SELECT count(*) FROM task_specs WHERE spec LIKE '%depends_on%'") == 0);
  CHECK(number("SELECT on_dependency_failed = 'run' FROM tasks WHERE id = 3") == 1);
  CHECK(number("SELECT count(*) FROM tasks WHERE on_dependency_failed IS NULL") == 2);
}

TEST_CASE_FIXTURE(DependenciesFixture, "a prune of tasks with many dependencies is bounded") {
  std::vector<NewTask> heads(500, task());
  try_submit(heads);
  NewTask join = task();
  join.spec.keep_ms = 0;
  for (TaskId id = 1; id <= 500; ++id) join.spec.constraints.depends_on.push_back(ok(id));
  const auto joins = std::get<Submitted>(try_submit(std::vector<NewTask>(30, join))).ids;
  control(Verb::cancel, joins);
  clock.wall_ms += 10'000;
  std::size_t pruned = 0;
  int commits = 0;
  for (bool more = true; more; ++commits) {
    const auto result = store->prune(clock.wall_now(), 500);
    CHECK(result.tasks.size() <= 10);
    pruned += result.tasks.size();
    more = result.next && *result.next <= clock.wall_now();
  }
  CHECK(pruned == 30);
  CHECK(commits == 3);
}

}  // namespace
}  // namespace taskd
