#include "daemon/engine/schedule_runner.h"

#include <doctest/doctest.h>
#include <pwd.h>
#include <unistd.h>

#include "daemon/base/text.h"
#include "tests/unit/engine/store_fixture.h"

using namespace taskd;
using namespace taskd::test;

namespace {

constexpr Actor kOwner{1000, false};
constexpr Actor kOther{1001, false};
constexpr std::int64_t kMinuteMs = 60'000;

struct ScheduleFixture : StoreFixture {
  ScheduleFixture() { at("2026-01-01T00:00:30Z"); }

  void at(std::string_view time) { clock.wall_ms = parse_rfc3339(time).value().ms; }
  std::optional<WallTime> look() { return schedule_runner.run_once(clock.wall_now()); }
  std::optional<WallTime> look_at(std::string_view time) {
    at(time);
    return look();
  }
  static ScheduleSettings cron(std::string_view line) {
    ScheduleSettings settings;
    settings.name = "nightly";
    settings.cron = line;
    settings.zone = "UTC";
    settings.task.argv = {"true"};
    return settings;
  }
  static ScheduleSettings every(std::int64_t ms) {
    ScheduleSettings settings;
    settings.name = "nightly";
    settings.every_ms = ms;
    settings.task.argv = {"true"};
    return settings;
  }
  void put(const ScheduleSettings& settings) {
    REQUIRE(std::holds_alternative<Schedule>(store->put_schedule(kOwner, kOwner.uid, settings)));
    look();
  }
  Schedule get(const std::string& name = "nightly") {
    return store->schedule(kOwner, {kOwner.uid, name}).value();
  }
  std::size_t tasks() {
    ListRequest request;
    request.actor = kOwner;
    request.limit = 1000;
    return store->list(request).size();
  }
  // The latest first.
  std::vector<SlotResult> results() {
    std::vector<SlotResult> results;
    for (const Slot& slot : store->slots(get().id, 100)) results.push_back(slot.result);
    return results;
  }
  void end_all() {
    for (const Claim& claim : store->claim(100).claims) {
      Finish finish{claim.task, claim.attempt, claim.token, {}};
      finish.end.outcome = {OutcomeKind::exited, 0, ""};
      store->finish({&finish, 1}, 0);
    }
  }
  Handlers handlers;
  ScheduleRunner schedule_runner{*store, handlers};
};

using Results = std::vector<SlotResult>;

}  // namespace

TEST_CASE("a slot submits the schedule's task once, as its owner's, and tells the next") {
  ScheduleFixture f;
  f.put(f.cron("*/5 * * * *"));
  CHECK(f.tasks() == 0);
  CHECK(f.get().next_at == parse_rfc3339("2026-01-01T00:05:00Z"));
  CHECK(f.look_at("2026-01-01T00:05:00Z") == parse_rfc3339("2026-01-01T00:10:00Z"));
  CHECK(f.tasks() == 1);
  f.look();
  f.look_at("2026-01-01T00:09:59Z");
  CHECK(f.tasks() == 1);
  const Task task = f.store->get(kOwner, 1).value();
  CHECK(task.uid == kOwner.uid);
  CHECK(task.state == State::queued);
  CHECK(f.store->slots(f.get().id, 10).at(0).task == 1);
}

TEST_CASE("after an absence it catches up as it was told to") {
  for (const auto& [catch_up, expected] :
       {std::pair{CatchUp::one, 1u}, std::pair{CatchUp::none, 0u}, std::pair{CatchUp::all, 12u}}) {
    ScheduleFixture f;
    ScheduleSettings settings = f.cron("@hourly");
    settings.catch_up = catch_up;
    settings.overlap = Overlap::queue;
    f.put(settings);
    f.look_at("2026-01-01T12:30:00Z");
    CHECK(f.tasks() == expected);
    f.look_at("2026-01-01T13:00:00Z");
    CHECK(f.tasks() == expected + 1);
  }
}

TEST_CASE("a long catching up goes on in batches until each slot has fired") {
  ScheduleFixture f;
  ScheduleSettings settings = f.cron("* * * * *");
  settings.catch_up = CatchUp::all;
  settings.overlap = Overlap::queue;
  f.put(settings);
  f.at("2026-01-01T05:00:30Z");
  while (f.look() <= f.clock.wall_now()) {
  }
  CHECK(f.tasks() == 300);
}

TEST_CASE("while a task of it has not ended a slot is left out, waits in line, or replaces it") {
  const auto run = [](Overlap overlap) {
    ScheduleFixture f;
    ScheduleSettings settings = f.cron("* * * * *");
    settings.overlap = overlap;
    f.put(settings);
    f.look_at("2026-01-01T00:01:00Z");
    f.look_at("2026-01-01T00:02:00Z");
    const Results results = f.results();
    const State first = f.store->get(kOwner, 1)->state;
    f.end_all();
    f.look_at("2026-01-01T00:03:00Z");
    CHECK(f.results().front() == SlotResult::fired);
    return std::pair{results, first};
  };
  CHECK(run(Overlap::skip) ==
        std::pair{Results{SlotResult::overlap, SlotResult::fired}, State::queued});
  CHECK(run(Overlap::queue) ==
        std::pair{Results{SlotResult::fired, SlotResult::fired}, State::queued});
  CHECK(run(Overlap::replace) ==
        std::pair{Results{SlotResult::fired, SlotResult::fired}, State::cancelled});
}

TEST_CASE("a clock that jumps back or forward fires no slot twice and silences nothing") {
  ScheduleFixture f;
  ScheduleSettings settings = f.cron("0 * * * *");
  settings.overlap = Overlap::queue;
  f.put(settings);
  f.look_at("2026-01-01T01:00:00Z");
  CHECK(f.tasks() == 1);
  f.look_at("2027-06-01T12:00:00Z");  // a wrong clock
  CHECK(f.tasks() == 2);
  f.look_at("2026-01-01T00:30:00Z");  // put right, and too far back
  f.look_at("2026-01-01T01:00:00Z");
  CHECK(f.tasks() == 2);  // that slot has fired
  f.look_at("2026-01-01T02:00:00Z");
  CHECK(f.tasks() == 3);
  f.look_at("2027-06-01T12:00:00Z");
  CHECK(f.tasks() == 3);
}

TEST_CASE("an interval that began under a clock that was ahead goes on when that is put right") {
  for (const bool pauses : {false, true}) {
    ScheduleFixture f;
    f.at("2027-06-01T12:00:00Z");
    f.put(f.every(10 * kMinuteMs));
    if (pauses) f.store->pause_schedule(kOwner, {kOwner.uid, "nightly"}, "");
    f.look_at("2026-01-01T00:00:30Z");
    if (pauses) {
      CHECK_FALSE(f.get().next_at);
      f.store->resume_schedule(kOwner, {kOwner.uid, "nightly"});
      f.look();
    }
    CHECK(f.get().next_at == parse_rfc3339("2026-01-01T00:10:30Z"));
    f.look_at("2026-01-01T00:10:30Z");
    CHECK(f.tasks() == 1);
  }
}

TEST_CASE("what replaces a running task starts once that has ended, however it ends") {
  ScheduleFixture f;
  ScheduleSettings settings = f.cron("* * * * *");
  settings.overlap = Overlap::replace;
  f.put(settings);
  f.look_at("2026-01-01T00:01:00Z");
  const Claim first = f.store->claim(1).claims.at(0);
  f.look_at("2026-01-01T00:02:00Z");
  CHECK(f.store->get(kOwner, 1)->cancel_requested_at);
  CHECK(f.store->get(kOwner, 2)->state == State::blocked);
  f.look_at("2026-01-01T00:03:00Z");
  CHECK(f.store->get(kOwner, 2)->state == State::cancelled);
  CHECK(f.store->get(kOwner, 3)->state == State::blocked);
  CHECK(f.store->claim(1).claims.empty());
  Finish finish{first.task, first.attempt, first.token, {}};
  finish.end.outcome = {OutcomeKind::cancelled, 0, ""};
  f.store->finish({&finish, 1}, 0);
  CHECK(f.store->get(kOwner, 1)->state == State::cancelled);
  CHECK(f.store->get(kOwner, 3)->state == State::queued);
}

TEST_CASE("a pause fires nothing, and what it left out is not made up for") {
  ScheduleFixture f;
  ScheduleSettings settings = f.cron("@hourly");
  settings.catch_up = CatchUp::all;
  f.put(settings);
  f.store->pause_schedule(kOwner, {kOwner.uid, "nightly"}, "holidays");
  CHECK_FALSE(f.look_at("2026-01-01T05:00:00Z").has_value());
  CHECK(f.tasks() == 0);
  CHECK(f.get().paused->reason == "holidays");
  f.at("2026-01-01T05:30:00Z");
  f.store->resume_schedule(kOwner, {kOwner.uid, "nightly"});
  CHECK(f.look() == parse_rfc3339("2026-01-01T06:00:00Z"));
  f.look_at("2026-01-01T06:00:00Z");
  CHECK(f.tasks() == 1);
}

TEST_CASE("a queue that takes nothing refuses the slot, and the next one is tried again") {
  ScheduleFixture f;
  f.put(f.cron("* * * * *"));
  f.store->control_queue(kOwner, "default", QueueVerb::drain);
  f.look_at("2026-01-01T00:01:00Z");
  CHECK(f.results() == Results{SlotResult::refused});
  f.store->control_queue(kOwner, "default", QueueVerb::resume);
  f.look_at("2026-01-01T00:02:00Z");
  CHECK(f.results() == Results{SlotResult::fired, SlotResult::refused});
}

TEST_CASE(
    "a unique task is replaced by the next of its schedule, and not triggered beside itself") {
  ScheduleFixture f;
  ScheduleSettings settings = f.cron("* * * * *");
  settings.overlap = Overlap::replace;
  settings.task.constraints.unique.key = "report";
  f.put(settings);
  f.look_at("2026-01-01T00:01:00Z");
  f.look_at("2026-01-01T00:02:00Z");
  CHECK(f.results() == Results{SlotResult::fired, SlotResult::fired});
  CHECK(f.store->get(kOwner, 1)->state == State::cancelled);
  const auto again =
      std::get<Triggered>(f.store->trigger_schedule(kOwner, {kOwner.uid, "nightly"}));
  CHECK(again.task == 2);
  CHECK(again.existing);
  f.end_all();
  CHECK(std::get<Triggered>(f.store->trigger_schedule(kOwner, {kOwner.uid, "nightly"})).task == 3);
}

TEST_CASE("nothing is replaced for a task that the queue would not take") {
  ScheduleFixture f;
  ScheduleSettings settings = f.cron("* * * * *");
  settings.overlap = Overlap::replace;
  f.put(settings);
  f.look_at("2026-01-01T00:01:00Z");
  f.store->control_queue(kOwner, "default", QueueVerb::drain);
  f.look_at("2026-01-01T00:02:00Z");
  CHECK(f.results() == Results{SlotResult::refused, SlotResult::fired});
  CHECK(f.store->get(kOwner, 1)->state == State::queued);
}

TEST_CASE("a schedule is its owner's, and one of the same name later is another") {
  ScheduleFixture f;
  f.put(f.cron("* * * * *"));
  f.look_at("2026-01-01T00:01:00Z");
  CHECK(std::holds_alternative<UnknownSchedule>(
      f.store->put_schedule(kOther, kOwner.uid, f.cron("* * * * *"))));
  CHECK(std::holds_alternative<UnknownSchedule>(
      f.store->remove_schedule(kOther, {kOwner.uid, "nightly"})));
  CHECK(std::holds_alternative<UnknownSchedule>(
      f.store->trigger_schedule(kOther, {kOwner.uid, "nightly"})));
  CHECK_FALSE(f.store->schedule(kOther, {kOwner.uid, "nightly"}));
  CHECK_FALSE(f.store->schedule(kOther, {kOther.uid, "nightly"}));
  const std::int64_t first = f.get().id;
  f.store->remove_schedule(kOwner, {kOwner.uid, "nightly"});
  f.put(f.cron("* * * * *"));
  CHECK(f.get().id > first);
  CHECK(f.results().empty());
  CHECK(std::get<Triggered>(f.store->trigger_schedule(kOwner, {kOwner.uid, "nightly"})).task == 2);
  ScheduleSettings lost = f.cron("* * * * *");
  lost.task.queue = "nowhere";
  CHECK(std::holds_alternative<UnknownQueue>(f.store->put_schedule(kOwner, kOwner.uid, lost)));
}

TEST_CASE(
    "slots of a command are refused once only handlers are taken, and those of handlers fire") {
  ScheduleFixture f;
  f.put(f.cron("* * * * *"));
  f.look_at("2026-01-01T00:01:00Z");
  CHECK(f.tasks() == 1);
  f.end_all();
  f.handlers.only = true;
  f.look_at("2026-01-01T00:02:00Z");
  CHECK(f.tasks() == 1);
  CHECK(f.results() == Results{SlotResult::refused, SlotResult::fired});
  f.handlers.only = false;
  f.look_at("2026-01-01T00:03:00Z");
  CHECK(f.tasks() == 2);
  f.end_all();
  f.handlers.only = true;
  ScheduleSettings mail = f.cron("* * * * *");
  mail.task.argv.clear();
  mail.task.handler = "mail";
  f.put(mail);
  f.look_at("2026-01-01T00:05:00Z");
  CHECK(f.tasks() == 3);
}

TEST_CASE("a schedule whose owner's uid is another's by now is paused, and says why") {
  if (::geteuid() != 0) return;  // a daemon looks at everybody but its own user
  ScheduleFixture f;
  const Actor owner{65534, false};  // is "nobody", where that one is known at all
  if (::getpwuid(65534) == nullptr) return;
  f.store->know_user(65534, "alice");
  ScheduleSettings settings = f.cron("* * * * *");
  settings.name = "hers";
  REQUIRE(std::holds_alternative<Schedule>(f.store->put_schedule(owner, 65534, settings)));
  f.look_at("2026-01-01T00:01:00Z");
  CHECK(f.tasks() == 0);
  const Schedule stopped = f.store->schedule(owner, {65534, "hers"}).value();
  REQUIRE(stopped.paused);
  CHECK(stopped.paused->reason ==
        "uid 65534 was alice's and is " + std::string(::getpwuid(65534)->pw_name) + "'s now");
  CHECK_FALSE(stopped.next_at);
  f.look_at("2026-01-01T00:09:00Z");
  CHECK(f.tasks() == 0);
  // The same of whom root's schedule runs as.
  settings.task.user_uid = 65534;
  settings.task.user_was = "alice";
  REQUIRE(std::holds_alternative<Schedule>(f.store->put_schedule({0, true}, 0, settings)));
  f.look_at("2026-01-01T00:10:00Z");
  CHECK(f.tasks() == 0);
  CHECK(f.store->schedule({0, true}, {0, "hers"})->paused);
}

TEST_CASE("every so often counts from the schedule's making, also over a restart") {
  ScheduleFixture f;
  f.put(f.every(10 * kMinuteMs));
  CHECK(f.get().next_at == parse_rfc3339("2026-01-01T00:10:30Z"));
  f.look_at("2026-01-01T00:47:00Z");
  CHECK(f.tasks() == 1);
  ScheduleRunner another(*f.store, f.handlers);
  CHECK(another.run_once(f.clock.wall_now()) == parse_rfc3339("2026-01-01T00:50:30Z"));
  CHECK(f.tasks() == 1);
}
