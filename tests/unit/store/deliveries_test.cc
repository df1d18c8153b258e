#include <algorithm>
#include <map>

#include "tests/unit/store/fixture.h"

namespace taskd {
namespace {

const std::vector<HookRule> kHooks = {
    {"chat", kTheEnds},
    {"audit",
     {HookEvent::submitted, HookEvent::started, HookEvent::retrying, HookEvent::lost,
      HookEvent::succeeded, HookEvent::failed, HookEvent::cancelled}}};

NewTask told(std::vector<Notify> notify) {
  NewTask task = Fixture::task();
  task.spec.notify = std::move(notify);
  return task;
}

std::vector<std::string> events_told(Fixture& f, TaskId task, const std::string& hook) {
  return f.texts("SELECT event FROM deliveries WHERE task_id = " + std::to_string(task) +
                 " AND hook = '" + hook + "' ORDER BY seq");
}

DueDelivery due(Fixture& f, const std::string& hook) {
  return f.store->due_delivery(hook, f.clock.wall_now());
}

Delivery must_be_due(Fixture& f, const std::string& hook) {
  auto found = due(f, hook);
  REQUIRE(found.delivery.has_value());
  return *std::move(found.delivery);
}

bool deliver(Fixture& f, const Delivery& delivery) {
  return f.store->record_try({delivery, DeliveryState::delivered, {}, ""});
}

bool refuse(Fixture& f, const Delivery& delivery, std::int64_t delay_ms) {
  return f.store->record_try(
      {delivery, DeliveryState::pending, f.clock.wall_now() + delay_ms, "500"});
}

}  // namespace

TEST_CASE("each change that a hook wants to know of is told once, in order, as it was then") {
  Fixture f(kHooks);
  NewTask task = told({{"audit", {}}, {"chat", {}}});
  task.spec.max_attempts = 2;
  const TaskId id = f.submit(task);
  f.finish(f.claim(), OutcomeKind::exited, 3);
  f.clock.wall_ms += 3'600'000;
  f.store->promote(f.clock.wall_now(), 10);
  f.finish(f.claim(), OutcomeKind::lost);
  f.finish(f.claim(), OutcomeKind::exited, 3);
  CHECK(events_told(f, id, "audit") == std::vector<std::string>{"submitted", "started", "retrying",
                                                                "started", "lost", "started",
                                                                "failed"});
  CHECK(events_told(f, id, "chat") == std::vector<std::string>{"failed"});
  CHECK(f.texts("SELECT task FROM deliveries WHERE hook = 'audit' ORDER BY seq") ==
        std::vector<std::string>{R"({"id":1,"state":"queued","attempt":0,"ended":false})",
                                 R"({"id":1,"state":"running","attempt":1,"ended":false})",
                                 R"({"id":1,"state":"scheduled","attempt":1,"ended":true})",
                                 R"({"id":1,"state":"running","attempt":2,"ended":false})",
                                 R"({"id":1,"state":"queued","attempt":2,"ended":true})",
                                 R"({"id":1,"state":"running","attempt":3,"ended":false})",
                                 R"({"id":1,"state":"failed","attempt":3,"ended":true})"});
  CHECK(f.texts("SELECT DISTINCT delivery_id FROM deliveries").size() == 8);
}

TEST_CASE("an attempt that never began is told again when it does, and a cancel once it is done") {
  Fixture f(kHooks);
  const TaskId id = f.submit(told({{"audit", {}}}));
  f.finish(f.claim(), OutcomeKind::not_started);
  const Claim claim = f.claim();
  f.control(Verb::cancel, id);
  CHECK(events_told(f, id, "audit") == std::vector<std::string>{"submitted", "started", "started"});
  f.finish(claim, OutcomeKind::cancelled);
  CHECK(events_told(f, id, "audit").back() == "cancelled");
}

TEST_CASE("a task that nobody is told of writes nothing, whatever hooks are declared") {
  Fixture f(kHooks);
  f.submit();
  f.finish(f.claim());
  CHECK(f.number("SELECT count(*) FROM deliveries") == 0);
  for (const Change& change : f.take_changes()) CHECK(change.hooks == 0);
}

TEST_CASE("what is refused is told to nobody") {
  Fixture f(kHooks);
  NewTask elsewhere = told({{"audit", {}}});
  elsewhere.spec.queue = "nowhere";
  CHECK(std::holds_alternative<UnknownQueue>(f.try_submit({told({{"audit", {}}}), elsewhere})));
  CHECK(f.number("SELECT count(*) FROM deliveries") == 0);
}

TEST_CASE("a repeated submit gives the earlier task, though its hook is declared no more") {
  Fixture f(kHooks);
  CHECK(std::holds_alternative<Submitted>(f.try_submit({told({{"audit", {}}})}, kAlice, "key")));
  f.hooks.pop_back();
  f.restart();
  const SubmitResult again = f.try_submit({told({{"audit", {}}})}, kAlice, "key");
  REQUIRE(std::holds_alternative<Submitted>(again));
  CHECK(std::get<Submitted>(again).repeated);
}

TEST_CASE("the listener hears which hooks have something to do") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  CHECK(f.take_changes().at(0).hooks == 0b10);
  f.submit(told({{"chat", {HookEvent::submitted}}, {"audit", {}}}));
  CHECK(f.take_changes().at(0).hooks == 0b11);
  f.claim();
  CHECK(f.take_changes().at(0).hooks == 0);  // the hook has to be told of the submit first
}

TEST_CASE("a queue's hooks are told beside the task's own, each once") {
  Fixture f(kHooks);
  QueuePatch patch;
  patch.name = "mail";
  patch.notify = {{"chat", {HookEvent::submitted}}, {"audit", {HookEvent::failed}}};
  f.store->set_queue(kRoot, patch, true);
  NewTask task = told({{"chat", {HookEvent::submitted}}, {"audit", {HookEvent::succeeded}}});
  task.spec.queue = "mail";
  const TaskId id = f.submit(task);
  f.finish(f.claim(), OutcomeKind::exited, 1);
  CHECK(events_told(f, id, "chat") == std::vector<std::string>{"submitted"});
  CHECK(events_told(f, id, "audit") == std::vector<std::string>{"failed"});
  f.restart();
  CHECK(f.store->queue("mail")->settings.notify == *patch.notify);
  patch.notify->clear();
  f.store->set_queue(kRoot, patch, false);
  CHECK(f.store->queue("mail")->settings.notify.empty());
}

TEST_CASE("deliveries about one task go one after the other, those about others do not wait") {
  Fixture f(kHooks);
  const TaskId one = f.submit(told({{"audit", {}}}));
  f.claim();
  const TaskId two = f.submit(told({{"audit", {}}}));
  const Delivery first = must_be_due(f, "audit");
  CHECK(first.task == one);
  CHECK(refuse(f, first, 1000));
  const Delivery other = must_be_due(f, "audit");
  CHECK(other.task == two);
  CHECK(deliver(f, other));
  CHECK_FALSE(due(f, "audit").delivery.has_value());
  CHECK(due(f, "audit").next == f.clock.wall_now() + 1000);
  f.clock.wall_ms += 1000;
  const Delivery again = must_be_due(f, "audit");
  CHECK(again.id == first.id);
  CHECK(again.tries == 1);
  CHECK(again.error == "500");
  CHECK(deliver(f, again));
  CHECK(must_be_due(f, "audit").event == HookEvent::started);
}

TEST_CASE("one that is given up lets the next one about its task go") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  f.claim();
  const Delivery first = must_be_due(f, "audit");
  CHECK(f.store->record_try({first, DeliveryState::failed, {}, "410"}));
  CHECK(must_be_due(f, "audit").event == HookEvent::started);
  const Delivery gone = f.store->deliveries(1, 0, 10).at(0);
  CHECK(gone.state == DeliveryState::failed);
  CHECK(gone.error == "410");
  CHECK(gone.done_at == f.clock.wall_now());
}

TEST_CASE("a try is recorded once") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  const Delivery delivery = must_be_due(f, "audit");
  CHECK(refuse(f, delivery, 0));
  CHECK_FALSE(deliver(f, delivery));  // of the try before
  const Delivery now = must_be_due(f, "audit");
  CHECK(deliver(f, now));
  CHECK_FALSE(deliver(f, now));
  CHECK(f.store->deliveries(1, 0, 10).at(0).tries == 2);
}

TEST_CASE("what a hook was told goes with its task, but what it still must be told is told") {
  Fixture f(kHooks);
  const TaskId id = f.submit(told({{"audit", {}}}));
  f.finish(f.claim());
  CHECK(deliver(f, must_be_due(f, "audit")));
  f.control(Verb::remove, {id});
  CHECK(events_told(f, id, "audit") == std::vector<std::string>{"started", "succeeded"});
  CHECK(deliver(f, must_be_due(f, "audit")));
  CHECK(deliver(f, must_be_due(f, "audit")));
  CHECK(f.number("SELECT count(*) FROM deliveries") == 0);
}

TEST_CASE("a hook that is not declared is visibly not told") {
  Fixture f(kHooks);
  const TaskId id = f.submit(told({{"audit", {HookEvent::started}}}));
  f.hooks.pop_back();
  f.restart();
  CHECK(std::holds_alternative<UnknownHook>(f.try_submit({told({{"audit", {}}})})));
  f.take_changes();
  f.claim();
  const Delivery delivery = f.store->deliveries(id, 0, 10).at(0);
  CHECK(delivery.state == DeliveryState::failed);
  CHECK(delivery.error == "no hook of this name is declared");
  CHECK(f.take_changes().at(0).hooks == 0);
}

TEST_CASE("what waits for a hook that is declared no more is given up, and the rest goes at once") {
  Fixture f(kHooks);
  const TaskId id =
      f.submit(told({{"audit", {}}, {"chat", {HookEvent::submitted, HookEvent::started}}}));
  f.claim();
  CHECK(refuse(f, must_be_due(f, "chat"), 3'600'000));
  f.hooks.pop_back();
  f.restart();
  CHECK(f.store->resume_deliveries() == 2);
  CHECK(f.store->resume_deliveries() == 0);
  const std::vector<Delivery> all = f.store->deliveries(id, 0, 10);
  for (const Delivery& delivery : all) {
    if (delivery.hook != "audit") continue;
    CHECK(delivery.state == DeliveryState::failed);
    CHECK(delivery.error == "the hook is not declared any more");
  }
  const Delivery waiting = must_be_due(f, "chat");
  CHECK(waiting.event == HookEvent::submitted);
  CHECK(deliver(f, waiting));
  CHECK(must_be_due(f, "chat").event == HookEvent::started);
}

TEST_CASE("what waits for too long is given up, and what came later goes on") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  f.clock.wall_ms += 1000;
  f.claim();
  const std::uint32_t uid = must_be_due(f, "audit").uid;
  CHECK(f.store->oldest_delivery("audit", uid) == f.clock.wall_now() + -1000);
  CHECK(f.store->give_up_deliveries("audit", uid + 1, f.clock.wall_now(), 10) == 0);
  CHECK(f.store->give_up_deliveries("audit", uid, f.clock.wall_now() + -1001, 10) == 0);
  CHECK(f.store->give_up_deliveries("audit", uid, f.clock.wall_now() + -1000, 10) == 1);
  const Delivery old = f.store->deliveries(1, 0, 10).at(0);
  CHECK(old.state == DeliveryState::failed);
  CHECK(old.error == "the hook accepted nothing; given up: too old");
  CHECK(must_be_due(f, "audit").event == HookEvent::started);
  CHECK(f.store->hook_counts("audit").failed == 1);
}

TEST_CASE("users take turns at a hook, however much one of them has it told") {
  Fixture f(kHooks);
  const auto submit_as = [&](std::uint32_t uid) {
    SubmitRequest request;
    request.actor = {uid, false};
    request.tasks = {told({{"audit", {}}})};
    return std::get<Submitted>(f.store->submit(request)).ids.front();
  };
  for (int i = 0; i < 5; ++i) submit_as(1001);
  for (const std::uint32_t uid : {1002u, 0u, 4'000'000'000u}) submit_as(uid);
  std::vector<std::uint32_t> order;
  DeliveryTurn turn;
  for (int i = 0; i < 8; ++i) {
    const DueDelivery one = f.store->due_delivery("audit", f.clock.wall_now(), turn);
    REQUIRE(one.delivery.has_value());
    order.push_back(one.delivery->uid);
    turn.after = one.delivery->uid;
    CHECK(deliver(f, *one.delivery));
  }
  CHECK(order == std::vector<std::uint32_t>{0, 1001, 1002, 4'000'000'000, 1001, 1001, 1001, 1001});

  // Who rests has no turn, and the next moment is that of the others.
  submit_as(1001);
  submit_as(1002);
  turn.resting = {1002};
  CHECK(f.store->due_delivery("audit", f.clock.wall_now(), turn).delivery->uid == 1001);
  turn.resting = {1001, 1002};
  const DueDelivery none = f.store->due_delivery("audit", f.clock.wall_now(), turn);
  CHECK_FALSE(none.delivery.has_value());
  CHECK_FALSE(none.next.has_value());
}

TEST_CASE("a clock that is put back holds nothing up") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  CHECK(refuse(f, must_be_due(f, "audit"), 60'000));
  CHECK_FALSE(due(f, "audit").delivery.has_value());
  f.clock.wall_ms -= 24LL * 3600 * 1000;
  CHECK(must_be_due(f, "audit").tries == 1);
}

TEST_CASE("old deliveries of tasks that stay are pruned") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  CHECK(deliver(f, must_be_due(f, "audit")));
  f.claim();
  f.clock.wall_ms += 30LL * 24 * 3600 * 1000;
  f.store->prune(f.clock.wall_now(), 100);
  CHECK(events_told(f, 1, "audit") == std::vector<std::string>{"started"});
}

TEST_CASE("a hook's counts and latest error are of what it was not told") {
  Fixture f(kHooks);
  f.submit(told({{"audit", {}}}));
  f.submit(told({{"audit", {}}}));
  f.claim();
  CHECK(f.store->hook_counts("audit").pending == 3);
  CHECK(f.store->hook_counts("audit").last_error.empty());
  CHECK(f.store->hook_counts("chat").pending == 0);
  const Delivery first = must_be_due(f, "audit");
  CHECK(refuse(f, first, 1000));
  CHECK(f.store->hook_counts("audit").last_error == "500");
  CHECK(f.store->hook_counts("audit").last_error_at == f.clock.wall_now());
  CHECK(f.store->record_try({must_be_due(f, "audit"), DeliveryState::failed, {}, "410"}));
  f.clock.wall_ms += 1000;
  CHECK(deliver(f, must_be_due(f, "audit")));
  const HookCounts counts = f.store->hook_counts("audit");
  CHECK(counts.pending == 1);
  CHECK(counts.failed == 1);
  CHECK(counts.last_error == "410");
}

TEST_CASE("looks for what is due go through an index, whatever waits") {
  Fixture f(kHooks);
  SQLite::Database db = f.open_database();
  for (const char* sql :
       {"SELECT seq FROM deliveries WHERE hook = 'a' AND uid = 7 AND next_at_ms <= 5 "
        "ORDER BY next_at_ms, seq",
        "SELECT seq FROM deliveries WHERE hook = 'a' AND task_id = 1 AND state = 'pending' ORDER "
        "BY "
        "seq",
        "DELETE FROM deliveries WHERE task_id = 1 AND state <> 'pending'"}) {
    SQLite::Statement plan(db, std::string("EXPLAIN QUERY PLAN ") + sql);
    while (plan.executeStep()) {
      const std::string step = plan.getColumn(3).getString();
      CHECK_MESSAGE(step.find("SCAN") == step.npos, step);
      CHECK_MESSAGE(step.find("TEMP B-TREE") == step.npos, step);
    }
  }
}

TEST_CASE("a delivery tells of the task with the spec that it had, whatever became of it since") {
  Fixture f({{"mail", {HookEvent::submitted, HookEvent::cancelled}}});
  f.describes_specs = true;
  const std::string first = R"({"id":1,"state":"held","attempt":0,"ended":false,"shell":"one"})";
  NewTask task;
  task.spec.shell = "one";
  task.spec.notify = {{"mail", {}}};
  task.hold = true;
  const TaskId id = f.submit(task);
  CHECK(due(f, "mail").task == first);
  EditRequest edit;
  edit.actor = kAlice;
  edit.task = id;
  edit.was = f.get(id).spec;
  edit.to.spec = edit.was;
  edit.to.spec.shell = "two";
  REQUIRE(std::holds_alternative<Edited>(f.store->edit(edit)));
  f.control(Verb::cancel, id);
  CHECK(due(f, "mail").task == first);
  f.control(Verb::remove, id);
  CHECK(due(f, "mail").task == first);
  REQUIRE(deliver(f, must_be_due(f, "mail")));
  CHECK(due(f, "mail").task ==
        R"({"id":1,"state":"cancelled","attempt":0,"ended":false,"shell":"two"})");
  CHECK(f.number("SELECT count(*) FROM delivery_specs") == 1);
  REQUIRE(deliver(f, must_be_due(f, "mail")));
  CHECK(f.number("SELECT count(*) FROM delivery_specs") == 0);
}

TEST_CASE("what a task was is kept once, however many deliveries wait") {
  Fixture f({{"mail", {HookEvent::submitted, HookEvent::cancelled, HookEvent::retrying}},
             {"chat", {HookEvent::cancelled}}});
  f.describes_specs = true;
  NewTask task;
  task.spec.shell = "one";
  task.spec.notify = {{"mail", {}}, {"chat", {}}};
  const TaskId id = f.submit(task);
  for (int i = 0; i < 3; ++i) {
    f.control(Verb::cancel, id);
    f.control(Verb::retry, id);
  }
  f.control(Verb::cancel, id);
  f.control(Verb::remove, id);
  CHECK(f.number("SELECT count(*) FROM delivery_specs") == 1);
  for (const char* hook : {"mail", "chat"}) {
    for (auto next = due(f, hook); next.delivery; next = due(f, hook)) {
      CHECK(next.task.find(R"("shell":"one")") != std::string::npos);
      REQUIRE(deliver(f, *next.delivery));
    }
  }
  CHECK(f.number("SELECT count(*) FROM delivery_specs") == 0);
  CHECK(f.number("SELECT count(*) FROM deliveries") == 0);
}

TEST_CASE(
    "the spec that an array's tasks share is kept once, whatever a hook is still to be told") {
  for (const bool declared : {true, false}) {
    CAPTURE(declared);
    Fixture f({{"mail", {HookEvent::cancelled}}});
    f.describes_specs = true;
    f.submit();
    NewTask many = Fixture::task();
    many.spec.argv.clear();
    many.spec.shell = "shared";
    many.spec.notify = {{"mail", {}}};
    many.array = ArrayRange{1, 5, 1, 0};
    f.submit(many);
    f.submit(many);
    EditRequest edit;
    edit.actor = kAlice;
    edit.task = 4;
    edit.was = f.get(4).spec;
    edit.to.spec = edit.was;
    edit.to.spec.shell = "own";
    REQUIRE(std::holds_alternative<Edited>(f.store->edit(edit)));
    for (const Verb verb : {Verb::cancel, Verb::remove}) f.control(verb, {2, 3, 4, 5, 6});
    CHECK(f.number("SELECT count(*) FROM delivery_specs") == 1);
    CHECK(f.number("SELECT count(*) FROM array_specs") == 2);
    if (!declared) f.hooks.clear();
    f.restart();
    f.store->resume_deliveries();
    for (TaskId id = 2; declared && id < 7; ++id) {
      const auto next = due(f, "mail");
      REQUIRE(next.delivery.has_value());
      CHECK(next.delivery->task == id);
      const std::string shell = id == 4 ? R"("shell":"own")" : R"("shell":"shared")";
      CHECK(next.task.find(shell) != std::string::npos);
      CHECK(f.store->array(kAlice, 2).has_value());
      REQUIRE(deliver(f, *next.delivery));
    }
    CHECK_FALSE(f.store->array(kAlice, 2).has_value());
    CHECK(f.store->array(kAlice, 7).has_value());
    CHECK(f.number("SELECT count(*) FROM delivery_specs") == 0);
    CHECK(f.number("SELECT count(*) FROM array_specs") == 1);
  }
}

TEST_CASE("a task without any spec is removed all the same, and its hook is told") {
  Fixture f({{"mail", {HookEvent::cancelled}}});
  f.describes_specs = true;
  NewTask task = told({{"mail", {}}});
  const TaskId id = f.submit(task);
  f.control(Verb::cancel, id);
  f.open_database().exec("DELETE FROM task_specs");
  f.clock.wall_ms += 40LL * 24 * 3600 * 1000;
  CHECK(f.store->prune(f.clock.wall_now(), 10).tasks.size() == 1);
  const auto next = due(f, "mail");
  REQUIRE(next.delivery.has_value());
  CHECK(next.task.find(R"("shell":"")") != std::string::npos);
  REQUIRE(deliver(f, *next.delivery));
  CHECK(f.number("SELECT count(*) FROM deliveries") == 0);
}

TEST_CASE("a hook is told of a task whose spec cannot be read") {
  Fixture f({{"mail", {HookEvent::submitted}}});
  f.describes_specs = true;
  NewTask task;
  task.spec.shell = "one";
  task.spec.notify = {{"mail", {}}};
  f.submit(task);
  f.open_database().exec("UPDATE task_specs SET spec = '{\"torn'");
  CHECK(due(f, "mail").task ==
        R"({"id":1,"state":"queued","attempt":0,"ended":false,"shell":""})");
}

}  // namespace taskd
