#include "daemon/engine/notifier.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <thread>

#include "tests/support/http_receiver.h"
#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

using nlohmann::json;

Hook web(const std::string& name, const std::string& url) {
  Hook hook;
  hook.name = name;
  hook.url = url;
  hook.on = {HookEvent::submitted, HookEvent::started, HookEvent::succeeded, HookEvent::cancelled};
  return hook;
}

// A store whose outbox serves the hooks, and a Notifier over it.
struct NotifierFixture : StoreFixture {
  explicit NotifierFixture(std::vector<Hook> declared) : hooks_(std::move(declared)) {
    store.reset();
    StoreOptions options;
    options.path = folder() + "/hooks.db";
    options.boot_id = "boot";
    options.ballast_bytes = 4096;
    options.clock = &clock;
    for (const Hook& hook : hooks_) options.hooks.push_back({hook.name, hook.on});
    options.describe_task = [](const Task& task) {
      return json{{"id", task.id}, {"state", to_string(task.state)}}.dump();
    };
    options.describe_spec = [](const TaskSpec&) { return "{}"; };
    options.on_commit = [this](std::span<const Change> changes) {
      if (publishing.load()) notifier->publish(changes);
    };
    options.on_fatal = [](const std::string&) { std::abort(); };
    store = TaskStore::open(options);
    notifier = std::make_unique<Notifier>(*store, clock, clock, hooks_, "/run/sock",
                                          [](const std::string&) { std::abort(); });
  }
  void start() {
    notifier->start();
    publishing = true;
  }
  ~NotifierFixture() {
    publishing = false;
    notifier.reset();
  }

  TaskId submit_told(std::vector<Notify> notify) {
    NewTask task;
    task.spec.notify = std::move(notify);
    return submit(task);
  }
  TaskId submit_told_as(std::uint32_t uid, std::vector<Notify> notify) {
    SubmitRequest request;
    request.actor = {uid, false};
    request.tasks.emplace_back();
    request.tasks[0].spec.notify = std::move(notify);
    return std::get<Submitted>(store->submit(request)).ids.front();
  }
  void pass(std::int64_t ms) {
    clock.wall_ms += ms;
    clock.boot_ms += ms;
  }
  bool is_delivered(TaskId id) { return deliveries(id).at(0).state == DeliveryState::delivered; }
  // All changes of a task's usual life after its submit.
  void run_task() {
    const Claim claim = store->claim(1).claims.at(0);
    AttemptEnd end;
    end.outcome = {OutcomeKind::exited, 0, ""};
    const Finish finishes[] = {{claim.task, claim.attempt, claim.token, end}};
    store->finish(finishes, 0);
  }
  std::vector<Delivery> deliveries(TaskId id) { return store->deliveries(id, 0, 100); }

  std::atomic<bool> publishing{false};
  std::vector<Hook> hooks_;
  std::unique_ptr<Notifier> notifier;
};

std::vector<std::string> events(const std::vector<HttpReceiver::Received>& received) {
  std::vector<std::string> list;
  for (const auto& request : received) {
    const json document = json::parse(request.body);
    list.push_back(std::to_string(document.at("task").at("id").get<int>()) + " " +
                   document.at("event").get<std::string>());
  }
  return list;
}

}  // namespace

TEST_CASE("a hook hears of what was committed, in order, without being polled for") {
  HttpReceiver server;
  NotifierFixture f({web("chat", server.url())});
  f.start();
  const TaskId id = f.submit_told({{"chat", {}}});
  server.wait_for(1);
  f.run_task();
  CHECK(events(server.wait_for(3)) ==
        std::vector<std::string>{"1 submitted", "1 started", "1 succeeded"});
  f.notifier->stop();
  for (const Delivery& delivery : f.deliveries(id)) {
    if (delivery.event == HookEvent::succeeded) continue;  // its record may have been cut off
    CHECK(delivery.state == DeliveryState::delivered);
    CHECK(delivery.tries == 1);
  }
}

TEST_CASE("a refused delivery is tried again after 1 s, 2 s, 4 s … with the same id") {
  HttpReceiver server(
      [](const auto&, std::size_t index) { return HttpReceiver::status(index < 3 ? 500 : 204); });
  NotifierFixture f({web("chat", server.url())});
  const TaskId id = f.submit_told({{"chat", {HookEvent::submitted}}});
  for (const std::int64_t least_ms : {900, 1800, 3600}) {
    CHECK(f.notifier->run_once(0) == 0);
    const Delivery delivery = f.deliveries(id).at(0);
    CHECK(delivery.state == DeliveryState::pending);
    CHECK(delivery.error == "it answered 500");
    const std::int64_t delay_ms = *delivery.next_at - f.clock.wall_now();
    CHECK(delay_ms >= least_ms);
    CHECK(delay_ms <= least_ms * 11 / 9);
    const auto wait_ms = f.notifier->run_once(0);  // too early
    REQUIRE(wait_ms.has_value());
    CHECK(*wait_ms >= least_ms);
    f.clock.wall_ms += least_ms * 11 / 9;
    f.clock.boot_ms += least_ms * 11 / 9;
  }
  CHECK(f.notifier->run_once(0) == 0);
  const Delivery delivery = f.deliveries(id).at(0);
  CHECK(delivery.state == DeliveryState::delivered);
  CHECK(delivery.tries == 4);
  CHECK(delivery.error.empty());
  for (const auto& request : server.received()) {
    CHECK(request.headers.at("Taskd-Delivery") == delivery.id);
  }
  CHECK_FALSE(f.notifier->run_once(0).has_value());
}

TEST_CASE("the delay doubles up to an hour") {
  CHECK(redelivery_delay_ms(1, 0.5) == 1000);
  CHECK(redelivery_delay_ms(5, 0.5) == 16'000);
  CHECK(redelivery_delay_ms(13, 0.5) == 3'600'000);
  CHECK(redelivery_delay_ms(1000, 0.999999) <= kMaxDeliveryDelayMs);
}

TEST_CASE("a delivery is given up after its time, its tries, or a 410") {
  HttpReceiver server([](const auto& request, std::size_t) {
    return HttpReceiver::status(request.line.find("/gone") != std::string::npos ? 410 : 500);
  });
  std::vector<Hook> hooks = {web("aged", server.url()), web("tried", server.url()),
                             web("gone", server.url("/gone"))};
  hooks[0].max_age_ms = 10'000;
  hooks[1].max_attempts = 1;
  NotifierFixture f(hooks);
  const HookEvents submitted{HookEvent::submitted};
  const TaskId id = f.submit_told({{"aged", submitted}, {"tried", submitted}, {"gone", submitted}});
  f.notifier->run_once(0);
  CHECK(f.deliveries(id).at(0).state == DeliveryState::pending);
  f.clock.wall_ms += 10'000;
  f.clock.boot_ms += 10'000;
  for (std::size_t hook = 0; hook < 3; ++hook) f.notifier->run_once(hook);
  const std::vector<Delivery> all = f.deliveries(id);
  CHECK(all.at(0).error == "it answered 500; given up: too old");
  CHECK(all.at(1).error == "it answered 500; given up: tried once");
  CHECK(all.at(2).error == "410: it is gone for good; given up: the hook wants nothing more");
  for (const Delivery& delivery : all) CHECK(delivery.state == DeliveryState::failed);
}

TEST_CASE("a hook that hangs holds up neither another one nor the stop") {
  HttpReceiver dead(
      [](const auto&, std::size_t) { return HttpReceiver::Answer{.bytes = "", .hang = true}; });
  HttpReceiver alive;
  NotifierFixture f({web("dead", dead.url()), web("alive", alive.url())});
  f.start();
  const TaskId id = f.submit_told({{"dead", {}}, {"alive", {}}});
  dead.wait_for(1);
  f.run_task();
  alive.wait_for(3);
  f.notifier->stop();
  for (const Delivery& delivery : f.deliveries(id)) {
    if (delivery.hook != "dead") continue;
    CHECK(delivery.state == DeliveryState::pending);  // cut off: as if it had not been tried
    CHECK(delivery.tries == 0);
  }
}

TEST_CASE("a hook that was down gets everything afterwards, exactly in order per task") {
  std::atomic<bool> down{true};
  HttpReceiver server(
      [&](const auto&, std::size_t) { return HttpReceiver::status(down.load() ? 503 : 200); });
  NotifierFixture f({web("chat", server.url())});
  constexpr int kTasks = 20;
  std::vector<TaskId> ids;
  for (int i = 0; i < kTasks; ++i) {
    ids.push_back(f.submit_told({{"chat", {}}}));
    if (i % 2 == 0) f.run_task();
    f.notifier->run_once(0);
    f.clock.wall_ms += 1500 * (i % 4);
    f.clock.boot_ms += 1500 * (i % 4);
  }
  for (int i = 0; i < kTasks / 2; ++i) f.run_task();
  const std::size_t in_vain = server.received().size();
  CHECK(in_vain > 3);
  down = false;
  f.clock.boot_ms += 7'200'000;  // the hook is left alone no longer
  f.clock.wall_ms += 7'200'000;
  while (f.notifier->run_once(0) == 0) {
  }
  std::map<std::string, std::vector<std::string>> heard;
  const auto received = server.received();
  for (std::size_t i = in_vain; i < received.size(); ++i) {
    const json document = json::parse(received[i].body);
    heard[document.at("task").at("id").dump()].push_back(document.at("event"));
  }
  CHECK(heard.size() == kTasks);
  for (const auto& [task, list] : heard) {
    CHECK(list == std::vector<std::string>{"submitted", "started", "succeeded"});
  }
}

TEST_CASE("what grows too old while its hook is left alone is given up without being tried") {
  HttpReceiver server([](const auto&, std::size_t) { return HttpReceiver::status(500); });
  NotifierFixture f({web("chat", server.url())});
  f.hooks_[0].max_age_ms = 590'000;
  f.notifier = std::make_unique<Notifier>(*f.store, f.clock, f.clock, f.hooks_, "/run/sock",
                                          [](const std::string&) { std::abort(); });
  for (int i = 0; i < 3; ++i) f.submit_told({{"chat", {}}});
  f.run_task();
  for (int i = 0; i < 8; ++i) {
    f.notifier->run_once(0);
    f.clock.wall_ms += 70'000;
    f.clock.boot_ms += 70'000;
  }
  // Whatever the jitter, it is left alone from here on for more than half a minute.
  f.notifier->run_once(0);
  const std::size_t tries = server.received().size();
  f.clock.wall_ms += 30'000;
  CHECK(f.notifier->run_once(0) == 0);
  CHECK(server.received().size() == tries);
  CHECK_FALSE(f.notifier->run_once(0).has_value());
  for (TaskId id = 1; id <= 3; ++id) {
    for (const Delivery& delivery : f.deliveries(id)) {
      CHECK(delivery.state == DeliveryState::failed);
      CHECK(delivery.error.ends_with("; given up: too old"));
    }
  }
}

TEST_CASE("a clock that jumps ahead gives up no delivery until the jump is believed") {
  HttpReceiver server([](const auto&, std::size_t) { return HttpReceiver::status(500); });
  NotifierFixture f({web("chat", server.url())});
  f.hooks_[0].max_age_ms = 3'600'000;
  const TrustedClock age_clock(f.clock, f.store->clock_point(), [](const TrustedClock::Point&) {});
  f.notifier = std::make_unique<Notifier>(*f.store, f.clock, age_clock, f.hooks_, "/run/sock",
                                          [](const std::string&) { std::abort(); });
  const TaskId id = f.submit_told({{"chat", {}}});
  const auto state = [&] { return f.deliveries(id).at(0).state; };
  f.notifier->run_once(0);
  f.clock.wall_ms += 60 * 24 * 3'600'000LL;
  f.notifier->run_once(0);  // while the hook is left alone
  CHECK(state() == DeliveryState::pending);
  f.clock.boot_ms += 20'000;
  f.clock.wall_ms += 20'000;
  f.notifier->run_once(0);  // and by another try
  CHECK(server.received().size() == 2);
  CHECK(state() == DeliveryState::pending);
  f.clock.boot_ms += TrustedClock::kDoubtMs;
  f.clock.wall_ms += TrustedClock::kDoubtMs;
  f.notifier->run_once(0);
  CHECK(state() == DeliveryState::failed);
}

TEST_CASE("one delivery that a hook never takes does not keep the others from it") {
  HttpReceiver server([](const auto& request, std::size_t) {
    const bool poison = request.body.find("\"id\":1,") != std::string::npos;
    return HttpReceiver::status(poison ? 500 : 200);
  });
  NotifierFixture f({web("chat", server.url())});
  for (int i = 0; i < 5; ++i) f.submit_told({{"chat", {HookEvent::submitted}}});
  for (int i = 0; i < 20; ++i) {
    f.notifier->run_once(0);
    f.clock.wall_ms += 600;
    f.clock.boot_ms += 600;
  }
  for (TaskId id = 2; id <= 5; ++id) {
    CHECK(f.deliveries(id).at(0).state == DeliveryState::delivered);
  }
  CHECK(f.deliveries(1).at(0).state == DeliveryState::pending);
}

// Tasks up to `last` are refused with this status, others are taken.
auto refuse_up_to(int last, int status) {
  return [=](const auto& request, std::size_t) {
    const json document = json::parse(request.body);
    return HttpReceiver::status(document.at("task").at("id").template get<int>() <= last ? status
                                                                                         : 200);
  };
}

TEST_CASE("deliveries that a hook refuses hold up no other, be there ever so many") {
  HttpReceiver server(refuse_up_to(30, 400));
  NotifierFixture f({web("chat", server.url())});
  const std::vector<Notify> told = {{"chat", {HookEvent::submitted}}};
  for (int i = 0; i < 30; ++i) f.submit_told_as(1001, told);
  const TaskId another = f.submit_told_as(1002, told);
  const TaskId own = f.submit_told_as(1001, told);
  // No time passes: each is tried once, and what is taken is delivered.
  while (f.notifier->run_once(0) == 0) {
  }
  CHECK(server.received().size() == 32);
  CHECK(f.is_delivered(another));
  CHECK(f.is_delivered(own));
  // Each has a back-off of its own, and the other user has the second turn at the latest.
  f.pass(1200);
  const TaskId later = f.submit_told_as(1002, told);
  f.notifier->run_once(0);
  f.notifier->run_once(0);
  CHECK(f.is_delivered(later));
}

TEST_CASE("a hook that is down for one user's deliveries is asked at once for another's") {
  for (const int status : {429, 500, 503}) {
    CAPTURE(status);
    HttpReceiver server(refuse_up_to(30, status));
    NotifierFixture f({web("chat", server.url())});
    const std::vector<Notify> told = {{"chat", {HookEvent::submitted}}};
    for (int i = 0; i < 30; ++i) f.submit_told_as(1001, told);
    for (int i = 0; i < 10; ++i) {
      f.notifier->run_once(0);
      f.pass(5'000);
    }
    CHECK(server.received().size() <= 6);  // it is left alone, ever longer
    const TaskId another = f.submit_told_as(1002, told);
    f.notifier->run_once(0);
    f.notifier->run_once(0);
    CHECK(f.is_delivered(another));
  }
}

TEST_CASE("a hook that cannot be reached is not asked once for every task") {
  std::string url;
  {
    const HttpReceiver gone;
    url = gone.url();
  }
  NotifierFixture f({web("chat", url)});
  for (int i = 0; i < 30; ++i) f.submit_told({{"chat", {HookEvent::submitted}}});
  int tries = 0;
  for (int i = 0; i < 100; ++i) {
    if (f.notifier->run_once(0) == 0) ++tries;
    f.pass(100);
  }
  CHECK(tries >= 3);
  CHECK(tries <= 5);
}

TEST_CASE("a test tells the hook at once and keeps nothing") {
  HttpReceiver server([](const auto&, std::size_t) { return HttpReceiver::status(404); });
  NotifierFixture f({web("chat", server.url())});
  const HookTest test = f.notifier->test(*f.notifier->find("chat"));
  CHECK(test.result.outcome == SendOutcome::refused);
  CHECK(test.result.error == "it answered 404");
  const json document = json::parse(server.wait_for(1).at(0).body);
  CHECK(document.at("event") == "test");
  CHECK(document.at("task").is_null());
  CHECK(document.at("delivery") == test.delivery);
  CHECK(f.notifier->find("other") == nullptr);
}
