#include <future>
#include <latch>
#include <thread>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct UsersFixture : Fixture {
  TaskId add(const Actor& actor, const NewTask& task) { return submit(task, actor); }
  std::vector<TaskId> seen_by(const Actor& actor) {
    ListRequest request;
    request.actor = actor;
    request.limit = 10'000;
    std::vector<TaskId> ids;
    for (const Task& task : store->list(request)) ids.push_back(task.id);
    return ids;
  }
};

}  // namespace

TEST_CASE_FIXTURE(UsersFixture, "a user's name is kept, once, and known after a restart") {
  CHECK_FALSE(store->known_user(1000));
  store->know_user(1000, "alice");
  store->know_user(1000, "somebody else");
  CHECK(store->known_user(1000)->name == "alice");
  restart();
  const auto known = store->known_user(1000);
  REQUIRE(known);
  CHECK(known->name == "alice");
  CHECK(known->uid == 1000);
  CHECK_FALSE(known->former);
  store->know_user(1001, "");  // was in no database; it may come into one
  store->know_user(1001, "bob");
  CHECK(store->known_user(1001)->name == "bob");
}

TEST_CASE_FIXTURE(UsersFixture,
                  "owners whom nobody has named are found, however many tasks are theirs") {
  for (const Actor& actor : {kAlice, kBob, kAlice, kRoot, kAlice}) add(actor, task());
  ScheduleSettings settings;
  settings.name = "s";
  settings.every_ms = 60'000;
  settings.task.argv = {"true"};
  store->put_schedule({7, false}, 7, settings);
  store->know_user(kBob.uid, "bob");
  CHECK(store->unknown_users() == std::vector<std::uint32_t>{0, 7, 1000});
}

TEST_CASE_FIXTURE(UsersFixture, "what the former owner of a uid left is not the new one's") {
  store->know_user(kAlice.uid, "alice");
  NewTask keyed_task = task();
  keyed_task.spec.constraints.key.name = "k";
  keyed_task.spec.constraints.unique.key = "once";
  keyed_task.spec.constraints.unique.for_ms = 3'600'000;
  const TaskId first = add(kAlice, keyed_task);
  SubmitRequest keyed{kAlice, {task()}, "again", "digest"};
  store->submit(keyed);
  SubmitRequest request{kAlice, {task()}, "", ""};
  request.workflow = "w";
  request.steps = {{"step", {}}};
  const WorkflowId workflow = std::get<Submitted>(store->submit(request)).workflow;
  NewTask many = task();
  many.array = ArrayRange{1, 5000, 1, 0};
  const TaskId array = add(kAlice, many);
  ScheduleSettings settings;
  settings.name = "s";
  settings.every_ms = 60'000;
  settings.task = task().spec;
  store->put_schedule(kAlice, kAlice.uid, settings);
  const std::size_t before = seen_by(kAlice).size();
  const TaskId other = add(kBob, task());

  store->set_aside(kAlice.uid, "carol");
  CHECK(seen_by(kAlice).empty());
  CHECK_FALSE(store->get(kAlice, first));
  CHECK_FALSE(store->has_key(kAlice, "k"));
  CHECK_FALSE(store->has_workflow(kAlice, workflow));
  CHECK_FALSE(store->array(kAlice, array));
  CHECK_FALSE(store->workflow(kAlice, workflow));
  CHECK_FALSE(store->last(kAlice));
  CHECK(store->schedules(kAlice).empty());
  CHECK(seen_by(kBob) == std::vector<TaskId>{other});
  // Neither keys of any kind find the other's tasks.
  const auto again = std::get<Submitted>(store->submit(keyed));
  CHECK_FALSE(again.repeated);
  CHECK(add(kAlice, keyed_task) > other);
  CHECK(seen_by(kAlice).size() == 2);
  CHECK(seen_by(kRoot).size() >= before + 3);

  const Task task_of_alice = store->get(kRoot, first).value();
  CHECK(task_of_alice.uid >= kFirstFormerOwner);
  CHECK(task_of_alice.former_user == "alice (uid 1000)");
  const auto former = store->known_user(task_of_alice.uid);
  REQUIRE(former);
  CHECK(former->former);
  CHECK(former->uid == 1000);
  CHECK(former->name == "alice");
  CHECK(store->known_user(1000)->name == "carol");
  const auto schedules = store->schedules(kRoot);
  REQUIRE(schedules.size() == 1);
  REQUIRE(schedules[0].paused);
  CHECK(schedules[0].paused->reason == "uid 1000 was alice's and is carol's now");
  CHECK_FALSE(schedules[0].next_at);
  restart();
  CHECK(store->known_user(task_of_alice.uid)->name == "alice");
  CHECK_FALSE(store->get(kAlice, first));

  // A third owner of the uid, and the first one once more, who cannot be told from another.
  store->set_aside(kAlice.uid, "alice");
  CHECK(seen_by(kAlice).empty());
  CHECK(store->get(kRoot, again.ids[0])->former_user == "carol (uid 1000)");
  CHECK(store->get(kRoot, first)->former_user == "alice (uid 1000)");
}

TEST_CASE_FIXTURE(UsersFixture, "indices that are still to be made go with their array") {
  store->know_user(kAlice.uid, "alice");
  std::promise<void> begun;
  after_commit = [&, once = true]() mutable {
    if (std::exchange(once, false)) begun.set_value();
  };
  NewTask many = task();
  many.array = ArrayRange{1, 50'000, 1, 3};
  std::thread submitter([&] { add(kAlice, many); });
  begun.get_future().wait();
  store->set_aside(kAlice.uid, "carol");
  CHECK(number("SELECT made FROM arrays") < 50'000);
  submitter.join();
  REQUIRE(number("SELECT made FROM arrays") == 50'000);
  CHECK(number("SELECT count(*) FROM tasks WHERE uid = 1000") == 0);
  CHECK(number("SELECT count(DISTINCT uid) FROM tasks") == 1);
  CHECK(number("SELECT count(DISTINCT key_id) FROM tasks") == 1);
  CHECK(number("SELECT count(*) FROM keys") == 1);
}

TEST_CASE_FIXTURE(UsersFixture, "several first requests of a new user set aside once") {
  store->know_user(kAlice.uid, "alice");
  for (int i = 0; i < 8; ++i) {
    store->submit({kAlice, std::vector<NewTask>(1000, task()), "", ""});
  }
  std::latch together(4);
  std::vector<std::thread> requests;
  for (int i = 0; i < 4; ++i) {
    requests.emplace_back([&] {
      together.arrive_and_wait();
      store->set_aside(kAlice.uid, "carol");
    });
  }
  for (std::thread& request : requests) request.join();
  CHECK(number("SELECT count(*) FROM users WHERE former_uid IS NOT NULL") == 1);
  CHECK(number("SELECT count(DISTINCT uid) FROM tasks") == 1);
  CHECK(number("SELECT count(*) FROM events WHERE type = 'user_set_aside'") == 1);
  CHECK(store->known_user(kAlice.uid)->name == "carol");
  // What the new user has by then stays theirs.
  const TaskId mine = add(kAlice, task());
  store->set_aside(kAlice.uid, "carol");
  CHECK(store->get(kAlice, mine));
}

TEST_CASE_FIXTURE(UsersFixture, "a uid that is its user's still loses nothing") {
  store->know_user(kAlice.uid, "alice");
  const TaskId id = add(kAlice, task());
  store->set_aside(kAlice.uid, "alice");
  store->set_aside(kBob.uid, "bob");
  CHECK(store->get(kAlice, id));
  CHECK_FALSE(store->known_user(kBob.uid));
}

TEST_CASE_FIXTURE(UsersFixture,
                  "thousands of tasks are set aside, and their ends are still taken") {
  store->know_user(kAlice.uid, "alice");
  const TaskId id = add(kAlice, task());
  const Claim running = store->claim(1).claims.at(0);
  REQUIRE(running.task == id);
  for (int i = 0; i < 3; ++i) {
    store->submit({kAlice, std::vector<NewTask>(1000, task()), "", ""});
  }
  store->set_aside(kAlice.uid, "carol");
  CHECK(seen_by(kAlice).empty());
  CHECK(finish(running));
  CHECK(store->get(kRoot, id)->state == State::succeeded);
}

}  // namespace taskd
