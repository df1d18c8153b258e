#include "daemon/engine/worker_pool.h"

#include <doctest/doctest.h>

#include <atomic>

#include "tests/unit/engine/pool_fixture.h"

using namespace taskd;
using namespace taskd::test;

TEST_CASE("idle workers are woken by a submit and never run more than their number") {
  PoolFixture f(2);
  f.pool.start({});
  for (int i = 0; i < 3; ++i) f.submit();
  f.launcher.wait_until_started(2);
  CHECK(f.running.busy() == 2);
  CHECK(f.get(3).state == State::queued);
  f.launcher.end(1, 0);
  f.launcher.wait_until_started(3);
  CHECK(f.get(1).state == State::succeeded);
  f.launcher.end(2, 0);
  f.launcher.end(3, 5);
  f.launcher.wait_until_cleaned(3);
  CHECK(f.get(3).reason == Reason::exit);
  CHECK(f.running.busy() == 0);
}

TEST_CASE("an idle worker's claim is part of the commit that lets the task start") {
  PoolFixture f(1);
  f.pool.start({});
  while (f.pool.idle().promise(1) == 0) std::this_thread::yield();
  f.pool.idle().hand_over({});
  std::map<State, std::uint64_t> commit_of;
  f.on_change = [&](const Change& change) { commit_of[change.to] = f.commits; };
  f.submit();
  f.launcher.wait_until_started(1);
  const std::lock_guard lock(f.mutex);
  CHECK(commit_of.at(State::queued) == commit_of.at(State::running));
}

TEST_CASE("a handler's task starts what is declared now, or fails with its name") {
  PoolFixture f(1);
  Handler& mail = f.handlers.declared["mail"];
  mail.argv = {"mailer"};
  mail.env = {{"A", "1"}};
  mail.cwd = "/srv";
  mail.user_uid = 77;
  NewTask task;
  task.spec.handler = "mail";
  task.spec.payload = "[1]";
  f.pool.start({});
  f.submit(task);
  f.launcher.wait_until_started(1);
  const Launch launch = f.launcher.started().at(0);
  CHECK(launch.spec.argv == mail.argv);
  CHECK(launch.spec.env == mail.env);
  CHECK(launch.spec.cwd == "/srv");
  CHECK(launch.uid == 77);
  CHECK(launch.extra_env.at("TASKD_HANDLER") == "mail");
  REQUIRE(launch.files.size() == 1);
  CHECK(launch.files[0].variable == "TASKD_PAYLOAD_FILE");
  f.launcher.end(1, 0);
  f.wait_until(1, State::succeeded);
  task.spec.handler = "gone";
  f.submit(task);
  f.wait_until(2, State::failed);
  CHECK(f.get(2).reason == Reason::spawn);
  CHECK(f.get(2).last_outcome->detail ==
        "there is no handler \"gone\" in the daemon's configuration any more");
}

TEST_CASE("nothing starts as a user its owner may not have, whatever the store holds") {
  PoolFixture f(1);
  f.handlers.declared["service"].argv = {"serve"};
  f.handlers.declared["service"].user_uid = 7;
  NewTask task;
  task.spec.argv = {"true"};
  f.pool.start({});
  const auto submit = [&](std::uint32_t owner, std::optional<std::uint32_t> user,
                          const std::string& handler = "") {
    task.spec.user_uid = user;
    task.spec.handler = handler;
    task.spec.argv =
        handler.empty() ? std::vector<std::string>{"true"} : std::vector<std::string>{};
    return std::get<Submitted>(f.store->submit({{owner, true}, {task}, "", ""})).ids.at(0);
  };
  for (const std::uint32_t user : {0u, 77u}) {
    const TaskId id = submit(1000, user);
    f.wait_until(id, State::failed);
    CHECK(f.get(id).reason == Reason::spawn);
    CHECK(f.get(id).last_outcome->detail ==
          "a task of uid 1000 may not run as uid " + std::to_string(user));
  }
  CHECK(f.launcher.started().empty());
  std::size_t started = 0;
  const auto runs_as = [&](TaskId id) {
    f.launcher.wait_until_started(++started);
    f.launcher.end(id, 0);
    f.wait_until(id, State::succeeded);
    return f.launcher.started().back().uid;
  };
  CHECK(runs_as(submit(1000, std::nullopt)) == 1000);
  CHECK(runs_as(submit(1000, 1000)) == 1000);
  CHECK(runs_as(submit(1000, std::nullopt, "service")) == 7);
  CHECK(runs_as(submit(1000, 0, "service")) == 7);
  CHECK(runs_as(submit(0, 77)) == 77);
}

TEST_CASE("a command that was accepted before only handlers were taken does not start") {
  PoolFixture f(1);
  f.handlers.only = true;
  f.handlers.declared["mail"].argv = {"mailer"};
  NewTask command;
  command.spec.shell = "id";
  NewTask mail;
  mail.spec.handler = "mail";
  f.pool.start({});
  f.submit(command);
  f.wait_until(1, State::failed);
  CHECK(f.get(1).last_outcome->detail ==
        "this daemon runs only the handlers that its configuration declares, and no commands");
  f.submit(mail);
  f.launcher.wait_until_started(1);
  CHECK(f.launcher.started().at(0).spec.argv == std::vector<std::string>{"mailer"});
  f.launcher.end(2, 0);
  f.wait_until(2, State::succeeded);
}

TEST_CASE("an attempt is told whose its uids were, to be looked at before it starts") {
  PoolFixture f(1);
  f.store->know_user(1000, "alice");
  NewTask task;
  task.spec.argv = {"true"};
  f.pool.start({});
  f.store->submit({{1000, false}, {task}, "", ""});
  f.launcher.wait_until_started(1);
  Launch launch = f.launcher.started().back();
  REQUIRE(launch.users.size() == 1);
  CHECK(launch.users[0].uid == 1000);
  CHECK(launch.users[0].name == "alice");
  CHECK(launch.secret.size() == 32);
  CHECK(launch.secret != launch.token);
  f.launcher.end(1, 0);
  f.wait_until(1, State::succeeded);
  task.spec.user_uid = 77;
  task.spec.user_was = "bob";
  f.store->submit({{0, true}, {task}, "", ""});
  f.launcher.wait_until_started(2);
  launch = f.launcher.started().back();
  REQUIRE(launch.users.size() == 1);
  CHECK(launch.users[0].uid == 77);
  CHECK(launch.users[0].name == "bob");
  f.launcher.end(2, 0);
  f.wait_until(2, State::succeeded);
}

TEST_CASE("a cancel stops the live attempt of its task and no other") {
  PoolFixture f(2);
  f.pool.start({});
  f.submit();
  f.submit();
  f.launcher.wait_until_started(2);
  f.cancel(2);
  f.launcher.wait_until_cleaned(1);
  CHECK(f.get(2).state == State::cancelled);
  CHECK(f.get(1).state == State::running);
  f.launcher.end(1, 0);
  f.launcher.wait_until_cleaned(2);
  CHECK(f.get(1).state == State::succeeded);
}

TEST_CASE("stopping claims nothing more and leaves what runs to the next daemon") {
  PoolFixture f(1);
  f.pool.start({});
  f.submit();
  f.submit();
  f.launcher.wait_until_started(1);
  f.pool.stop();
  CHECK(f.get(1).state == State::running);
  CHECK(f.get(2).state == State::queued);
}

TEST_CASE("adopted attempts beyond the number of workers all finish before anything is claimed") {
  PoolFixture f(1);
  for (int i = 0; i < 4; ++i) f.submit();
  f.store->claim(3);  // as a daemon with three workers left them
  Recovery recovery = recover(*f.store, f.launcher);
  REQUIRE(recovery.adopted.size() == 3);
  f.pool.start(std::move(recovery.adopted));
  f.launcher.end(2, 0);
  f.launcher.end(3, 4);
  f.launcher.wait_until_cleaned(2);
  CHECK(f.get(3).last_outcome->code == 4);
  CHECK(f.get(4).state == State::queued);
  f.launcher.end(1, 0);
  f.launcher.wait_until_started(1);
  CHECK(f.launcher.started().front().task == 4);
  f.launcher.end(4, 0);
  f.launcher.wait_until_cleaned(4);
}

TEST_CASE("what cannot be started is reported as it was refused") {
  PoolFixture f(1);
  AttemptEnd refusal;
  refusal.outcome = {OutcomeKind::spawn_failed, ENOENT, "user"};
  f.launcher.refuse_with(refusal);
  f.pool.start({});
  f.submit();
  f.launcher.wait_until_cleaned(1);
  CHECK(f.get(1).state == State::failed);
  CHECK(f.get(1).reason == Reason::spawn);
}

TEST_CASE("a machine without room puts the task back and spends none of its tries") {
  PoolFixture f(1);
  AttemptEnd refusal;
  refusal.outcome = {OutcomeKind::not_started, EAGAIN, "fork"};
  f.launcher.refuse_with(refusal);
  // Its lock may be another's: nothing of a refused start is touched.
  std::atomic<int> cleaned = 0;
  f.launcher.on_cleanup = [&](TaskId) { ++cleaned; };
  f.pool.start({});
  f.submit();
  f.wait_until(1, State::scheduled);
  f.pool.stop();
  CHECK(cleaned == 0);
  const Task task = f.get(1);
  CHECK(task.state == State::scheduled);
  CHECK(task.attempt == 0);
  CHECK(task.tries == 0);
}

TEST_CASE("an attempt that never began is cleaned before another may start under its number") {
  PoolFixture f(2);
  std::atomic<int> cleaned = 0;
  f.launcher.on_cleanup = [&](TaskId task) {
    if (cleaned++ == 0) CHECK(f.get(task).state == State::running);
  };
  f.pool.start({});
  f.submit();
  f.launcher.wait_until_started(1);
  f.launcher.end_before_start(1);
  f.launcher.wait_until_started(2);
  CHECK(f.launcher.started().at(1).attempt == 1);
  CHECK(cleaned == 1);
}

TEST_CASE("a queue that is resumed gives work to as many workers as it has tasks") {
  PoolFixture f(3);
  f.store->control_queue({}, "default", QueueVerb::pause);
  f.pool.start({});
  for (int i = 0; i < 3; ++i) f.submit();
  CHECK(f.launcher.started().empty());
  f.store->control_queue({}, "default", QueueVerb::resume);
  f.launcher.wait_until_started(3);
  for (TaskId id = 1; id <= 3; ++id) f.launcher.end(id, 0);
  f.launcher.wait_until_cleaned(3);
}

TEST_CASE("what a large task kept back starts once that task gives way") {
  PoolFixture f(2, {.slots = 2, .resources = {}});
  f.pool.start({});
  f.submit();
  f.launcher.wait_until_started(1);
  NewTask large;
  large.spec.constraints.slots = 2;
  const TaskId in_front = f.submit(large);
  f.submit();
  f.let_workers_ask();
  ControlRequest hold;
  hold.actor = {.uid = 0, .admin = true};
  hold.verb = Verb::hold;
  hold.ids = {in_front};
  f.store->control(hold);
  f.launcher.wait_until_started(2);
  CHECK(f.get(3).state == State::running);
}

TEST_CASE("an idle worker wakes by itself when a rate lets the next task start") {
  PoolFixture f(1);
  const QueuePatch slow[] = {{.name = "default", .rate = RateLimit{1, 20}}};
  f.store->configure_queues(slow);
  f.pool.start({});
  f.submit();
  f.submit();
  f.launcher.wait_until_started(1);
  f.launcher.end(1, 0);
  f.launcher.wait_until_cleaned(1);
  CHECK(f.launcher.started().size() == 1);
  f.clock.wall_ms += 20;
  f.launcher.wait_until_started(2);
  f.launcher.end(2, 0);
  f.launcher.wait_until_cleaned(2);
}

TEST_CASE("an idle worker starts what a rate lets go while the one that knew when is busy") {
  PoolFixture f(2);
  const QueuePatch slow[] = {{.name = "default", .rate = RateLimit{1, 20}}};
  f.store->configure_queues(slow);
  f.store->control_queue({}, "default", QueueVerb::pause);
  f.pool.start({});
  for (int i = 0; i < 2; ++i) {
    f.submit();
    f.let_workers_ask();
  }
  f.store->control_queue({}, "default", QueueVerb::resume);
  f.launcher.wait_until_started(1);
  f.clock.wall_ms += 20;
  f.launcher.wait_until_started(2);
}

TEST_CASE("a job that breaks its promise to report progress is stopped, and it is a timeout") {
  PoolFixture f(1);
  NewTask task;
  task.spec.progress_timeout_ms = 1;
  f.clock.boot_ms += 10;
  f.pool.start({});
  f.submit(task);
  f.launcher.wait_until_started(1);
  // The worker begins to count somewhere after the start.
  while (f.get(1).state == State::running) f.clock.boot_ms += 1;
  CHECK(f.get(1).reason == Reason::timeout);
}

TEST_CASE("a signal finds what runs, and nothing else") {
  PoolFixture f(1);
  f.pool.start({});
  f.submit();
  f.submit();
  f.launcher.wait_until_started(1);
  // The worker attaches the attempt right after its start.
  while (!f.running.signal(1, 10)) std::this_thread::yield();
  CHECK(f.launcher.signals() == std::vector<int>{10});
  CHECK_FALSE(f.running.signal(2, 10));
  CHECK_FALSE(f.running.signal(3, 10));
  f.launcher.end(1, 0);
  f.launcher.wait_until_started(2);
  f.launcher.end(2, 0);
  f.launcher.wait_until_cleaned(2);
  CHECK_FALSE(f.running.signal(1, 10));
}
