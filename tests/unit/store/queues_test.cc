// Queues with limits: what a claim takes when.
#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

struct QueuesFixture : Fixture {
  void set(QueuePatch patch) { store->set_queue(kRoot, patch, true); }
  TaskId submit_to(const std::string& queue, int priority = 0) {
    NewTask one = task(priority);
    one.spec.queue = queue;
    return submit(std::move(one));
  }
  std::vector<TaskId> claim_all(int limit = 1000) {
    std::vector<TaskId> ids;
    for (Claim& claim : store->claim(limit).claims) {
      ids.push_back(claim.task);
      live.push_back(std::move(claim));
    }
    return ids;
  }
  void end(TaskId id) {
    const auto claim =
        std::find_if(live.begin(), live.end(), [&](const Claim& one) { return one.task == id; });
    REQUIRE(claim != live.end());
    CHECK(finish(*claim));
    live.erase(claim);
  }
  std::vector<Claim> live;
};

using Ids = std::vector<TaskId>;

TEST_CASE_FIXTURE(QueuesFixture, "a queue runs no more tasks at once than its concurrency") {
  set({.name = "mail", .concurrency = 2});
  for (int i = 0; i < 4; ++i) submit_to("mail");
  CHECK(claim_all() == Ids{1, 2});
  CHECK_FALSE(store->claim(5).more);
  end(1);
  CHECK(claim_all() == Ids{3});
  restart();
  CHECK(claim_all().empty());
  set({.name = "mail", .concurrency = std::optional<int>()});
  CHECK(claim_all() == Ids{4});
}

TEST_CASE_FIXTURE(QueuesFixture, "a lower concurrency stops nothing that runs") {
  for (int i = 0; i < 4; ++i) submit();
  claim_all(3);
  set({.name = "default", .concurrency = 1});
  end(1);
  end(2);
  CHECK(claim_all().empty());
  end(3);
  CHECK(claim_all() == Ids{4});
}

TEST_CASE_FIXTURE(QueuesFixture,
                  "inside a queue priority and age decide, whatever other queues hold") {
  set({.name = "other"});
  submit_to("default", 0);
  submit_to("default", 10);
  submit_to("default", 10);
  CHECK(claim_all() == Ids{2, 3, 1});
}

TEST_CASE_FIXTURE(QueuesFixture, "a flooded queue does not starve another") {
  set({.name = "flood"});
  set({.name = "quiet"});
  for (int i = 0; i < 100; ++i) submit_to("flood");
  CHECK(claim_all(10).size() == 10);
  const TaskId late = submit_to("quiet");
  CHECK(claim_all(2).front() == late);
}

TEST_CASE_FIXTURE(QueuesFixture, "queues share the workers by their weights") {
  set({.name = "a", .weight = 1});
  set({.name = "b", .weight = 3});
  for (int i = 0; i < 100; ++i) {
    submit_to("a");
    submit_to("b");
  }
  int of_b = 0;
  for (const TaskId id : claim_all(80)) of_b += id % 2 == 0 ? 1 : 0;
  CHECK(of_b == 60);
}

TEST_CASE_FIXTURE(QueuesFixture, "a rate lets its count start at once and says when the next may") {
  set({.name = "default", .rate = RateLimit{2, 60'000}});
  for (int i = 0; i < 4; ++i) submit();
  CHECK(claim_all() == Ids{1, 2});
  const Claims none = store->claim(1);
  CHECK(none.claims.empty());
  CHECK_FALSE(none.more);
  CHECK(none.later == WallTime{clock.wall_ms + 60'000});
  restart();  // which forgets no start
  CHECK(claim_all().empty());
  clock.wall_ms += 59'999;
  CHECK(claim_all().empty());
  clock.wall_ms += 1;
  CHECK(claim_all() == Ids{3, 4});
  CHECK_FALSE(store->claim(1).later);
}

TEST_CASE_FIXTURE(QueuesFixture,
                  "a clock that is put back holds no queue up for longer than its rate") {
  set({.name = "default", .rate = RateLimit{1, 60'000}});
  submit();
  submit();
  claim();
  clock.wall_ms -= 3'600'000;
  store->rewind_clock(clock.wall_now());
  restart();
  CHECK(store->claim(1).later == clock.wall_now() + 60'000);
  clock.wall_ms += 60'000;
  CHECK(store->claim(1).claims.size() == 1);
}

TEST_CASE_FIXTURE(QueuesFixture, "a start that is rolled back takes no token of the rate") {
  set({.name = "default", .rate = RateLimit{1, 60'000}});
  submit();
  {
    SQLite::Database other(dir / "taskd.db", SQLite::OPEN_READWRITE);
    other.exec(
        "CREATE TRIGGER refuse BEFORE INSERT ON attempts BEGIN SELECT raise(ABORT, 'no'); END");
  }
  CHECK_THROWS(store->claim(1));
  {
    SQLite::Database other(dir / "taskd.db", SQLite::OPEN_READWRITE);
    other.exec("DROP TRIGGER refuse");
  }
  CHECK(claim_all() == Ids{1});
}

TEST_CASE_FIXTURE(QueuesFixture, "a paused queue starts nothing, and says who paused it and why") {
  submit();
  const auto paused =
      store->control_queue(kAlice, "default", QueueVerb::pause, "disk is being swapped");
  REQUIRE(std::get<QueueInfo>(paused).paused);
  CHECK(claim_all().empty());
  restart();
  CHECK(claim_all().empty());
  const QueueInfo info = store->queue("default").value();
  CHECK(info.paused->uid == kAlice.uid);
  CHECK(info.paused->reason == "disk is being swapped");
  CHECK(info.paused->at == clock.wall_now());
  changes.clear();
  store->control_queue(kAlice, "default", QueueVerb::resume);
  CHECK(changes.size() == 1);  // wakes the workers
  CHECK(claim_all() == Ids{1});
}

TEST_CASE_FIXTURE(QueuesFixture, "a draining queue takes nothing and runs what it has") {
  submit();
  store->control_queue(kRoot, "default", QueueVerb::drain);
  const auto refused = try_submit({task()});
  REQUIRE(std::holds_alternative<QueueFull>(refused));
  CHECK(std::get<QueueFull>(refused).draining);
  CHECK(claim_all() == Ids{1});
  end(1);
  CHECK(std::get<QueueFull>(control(Verb::retry, std::vector<TaskId>{1})).draining);
  store->control_queue(kRoot, "default", QueueVerb::resume);
  submit();
}

TEST_CASE_FIXTURE(QueuesFixture, "only a queue without any task can be removed") {
  set({.name = "mail"});
  const TaskId id = submit_to("mail");
  CHECK(std::holds_alternative<QueueInUse>(store->remove_queue(kRoot, "mail")));
  claim_all();
  end(id);
  CHECK(std::holds_alternative<QueueInUse>(store->remove_queue(kRoot, "mail")));
  control(Verb::remove, {id});
  CHECK(std::holds_alternative<QueueInfo>(store->remove_queue(kRoot, "mail")));
  CHECK_FALSE(store->queue("mail"));
  CHECK(std::holds_alternative<UnknownQueue>(store->remove_queue(kRoot, "mail")));
  CHECK(std::holds_alternative<QueueInUse>(store->remove_queue(kRoot, "default")));
  NewTask lost = task();
  lost.spec.queue = "mail";
  CHECK(std::holds_alternative<UnknownQueue>(try_submit({lost})));
}

TEST_CASE_FIXTURE(QueuesFixture, "a queue to which schedules submit stays") {
  set({.name = "mail"});
  ScheduleSettings settings;
  settings.every_ms = 60'000;
  settings.task = task().spec;
  settings.task.queue = "mail";
  for (const char* name : {"b", "a"}) {
    settings.name = name;
    REQUIRE(std::holds_alternative<Schedule>(store->put_schedule(kAlice, kAlice.uid, settings)));
  }
  const QueueResult used = store->remove_queue(kRoot, "mail");
  CHECK(std::get<QueueInUse>(used).schedules == std::vector<std::string>{"a", "b"});
  CHECK(store->queue("mail"));
  settings.task.queue = "default";
  store->put_schedule(kAlice, kAlice.uid, settings);
  store->remove_schedule(kAlice, {kAlice.uid, "b"});
  CHECK(std::holds_alternative<QueueInfo>(store->remove_queue(kRoot, "mail")));
}

TEST_CASE_FIXTURE(QueuesFixture,
                  "settings change one by one, and a queue is made only on request") {
  CHECK(std::holds_alternative<UnknownQueue>(
      store->set_queue(kRoot, {.name = "mail", .weight = 2}, false)));
  set({.name = "mail", .capacity = 5, .weight = 2});
  set({.name = "mail", .rate = RateLimit{4, 1000, 2}});
  const QueueSettings settings = store->queue("mail")->settings;
  CHECK(settings.capacity == 5);
  CHECK(settings.weight == 2);
  CHECK(settings.rate == RateLimit{4, 1000, 2});
  CHECK_FALSE(settings.concurrency);
  const QueuePatch file[] = {{.name = "mail", .concurrency = 3}};
  store->configure_queues(file);
  CHECK(store->queue("mail")->settings.concurrency == 3);
  CHECK(store->queue("mail")->settings.capacity == 5);
}

TEST_CASE_FIXTURE(QueuesFixture, "defaults are found from memory, at once and after a restart") {
  CHECK(store->queue_defaults("default").empty());
  CHECK(store->queue_defaults("nowhere").empty());
  set({.name = "mail", .defaults = R"({"slots":2})"});
  set({.name = "mail", .weight = 2});
  CHECK(store->queue_defaults("mail") == R"({"slots":2})");
  CHECK(store->queue("mail")->settings.defaults == R"({"slots":2})");
  CHECK(store->queues().at(1).settings.defaults == R"({"slots":2})");
  restart();
  CHECK(store->queue_defaults("mail") == R"({"slots":2})");
  const QueuePatch file[] = {{.name = "mail", .defaults = R"({"slots":3})"}};
  store->configure_queues(file);
  CHECK(store->queue_defaults("mail") == R"({"slots":3})");
  store->remove_queue(kRoot, "mail");
  CHECK(store->queue_defaults("mail").empty());
}

TEST_CASE_FIXTURE(QueuesFixture, "defaults made of others than there are now change nothing") {
  set({.name = "mail", .defaults = R"({"slots":2})"});
  const QueuePatch late{.name = "mail", .weight = 9, .defaults = "{}", .defaults_were = "{}"};
  CHECK(std::holds_alternative<EditedMeanwhile>(store->set_queue(kRoot, late, false)));
  CHECK(store->queue("mail")->settings.weight == 1);
  CHECK(store->queue_defaults("mail") == R"({"slots":2})");
}

TEST_CASE_FIXTURE(QueuesFixture,
                  "a queue's faster rate does not wait for what the slower one would have") {
  store->set_queue(kRoot, {.name = "default", .rate = std::optional(RateLimit{1, 3'600'000})},
                   false);
  submit();
  submit();
  CHECK(store->claim(2).claims.size() == 1);
  store->set_queue(kRoot, {.name = "default", .rate = std::optional(RateLimit{10, 1000})}, false);
  clock.wall_ms += 100;
  CHECK(store->claim(2).claims.size() == 1);
}

}  // namespace
}  // namespace taskd
