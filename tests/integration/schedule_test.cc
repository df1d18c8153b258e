#include <doctest/doctest.h>

#include <set>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

nlohmann::json schedule(const TestDaemon& daemon, const std::string& name) {
  return daemon.ctl_json({"schedule", "show", name});
}

std::string done(const TestDaemon& daemon, int task) {
  return daemon.dir() / ("done-" + std::to_string(task));
}

// A schedule of every second whose tasks each leave the file that done() names. As long as nothing
// else is submitted, they have the ids 1, 2, 3 …
void add_ticks(const TestDaemon& daemon) {
  const std::string line = ": > " + (daemon.dir() / "done-$TASKD_TASK_ID");
  const RunResult added = daemon.ctl(
      {"schedule", "add", "tick", "--every", "1s", "--overlap", "queue", "--shell", line});
  REQUIRE_MESSAGE(added.exit_code == 0, added.err);
}

// Long enough for a schedule of every second to fire, if it did.
void let_a_slot_pass(const TestDaemon& daemon) {
  daemon.wait(daemon.submit({"--", "sleep", "1.2"}));
}

// The id of the newest task that the schedule fired.
int newest_fired(const nlohmann::json& schedule) {
  int newest = 0;
  for (const nlohmann::json& slot : schedule.at("slots")) {
    if (!slot.at("task_id").is_null()) newest = std::max(newest, slot.at("task_id").get<int>());
  }
  return newest;
}

// That the slots, the latest first, are all different and so are their tasks.
void check_fired_once(const nlohmann::json& schedule) {
  std::set<std::string> slots;
  std::set<int> tasks;
  for (const nlohmann::json& slot : schedule.at("slots")) {
    CHECK(slot.at("result") == "fired");
    CHECK(slots.insert(slot.at("at").get<std::string>()).second);
    CHECK(tasks.insert(slot.at("task_id").get<int>()).second);
  }
  REQUIRE(!tasks.empty());
  // Every task between the first and the last belongs to a slot of its own.
  CHECK(*tasks.rbegin() - *tasks.begin() + 1 == static_cast<int>(tasks.size()));
}

}  // namespace

TEST_CASE(
    "a schedule fires tasks that run, until it is paused, and a trigger runs one all the same") {
  const TestDaemon daemon;
  add_ticks(daemon);
  wait_for_file(done(daemon, 2));
  CHECK(daemon.wait("2").at("state") == "succeeded");
  const RunResult paused =
      daemon.ctl({"schedule", "pause", "tick", "--reason", "the disk is being replaced"});
  CHECK(paused.exit_code == 0);
  CHECK(paused.out.empty());
  CHECK(paused.err == "taskctl: schedule tick paused\n");
  const nlohmann::json before = schedule(daemon, "tick");
  CHECK(before.at("next_at").is_null());
  CHECK(before.at("paused").at("reason") == "the disk is being replaced");
  check_fired_once(before);
  let_a_slot_pass(daemon);
  CHECK(schedule(daemon, "tick") == before);
  CHECK(daemon.ctl({"schedule", "list"}).out.find("paused: the disk is being replaced") !=
        std::string::npos);

  const RunResult triggered = daemon.ctl({"schedule", "trigger", "tick"});
  CHECK(triggered.exit_code == 0);
  const std::string id = triggered.out.substr(0, triggered.out.find('\n'));
  CHECK(daemon.wait(id).at("state") == "succeeded");
  wait_for_file(done(daemon, std::stoi(id)));
  CHECK(schedule(daemon, "tick").at("slots") == before.at("slots"));

  const int newest = std::stoi(id);
  const RunResult resumed = daemon.ctl({"schedule", "resume", "tick"});
  CHECK(resumed.err.starts_with("taskctl: schedule tick resumed; it fires next at "));
  wait_for_file(done(daemon, newest + 1));
  CHECK(daemon.ctl({"schedule", "rm", "tick"}).err == "taskctl: schedule tick removed\n");
  CHECK(daemon.ctl({"schedule", "show", "tick"}).exit_code == 66);
  CHECK(daemon.state("2") == "succeeded");
}

TEST_CASE("a schedule goes on after a restart and after a crash, and fires no slot twice") {
  TestDaemon daemon;
  add_ticks(daemon);
  wait_for_file(done(daemon, 1));
  daemon.restart_after_kill9();
  wait_for_file(done(daemon, newest_fired(schedule(daemon, "tick")) + 1));
  daemon.stop();
  daemon.start();
  wait_for_file(done(daemon, newest_fired(schedule(daemon, "tick")) + 1));
  CHECK(daemon.ctl({"schedule", "pause", "tick"}).exit_code == 0);
  const nlohmann::json shown = schedule(daemon, "tick");
  check_fired_once(shown);
  const nlohmann::json tasks = daemon.ctl_json({"list", "--all"}).at("tasks");
  CHECK(static_cast<int>(tasks.size()) == newest_fired(shown));
  daemon.restart_after_kill9();
  CHECK(schedule(daemon, "tick") == shown);
}

TEST_CASE("a task that replaces another starts once that has stopped, however long it takes") {
  TestDaemon daemon;
  const std::string stopped = daemon.dir() / "stopped";
  const std::string started = daemon.dir() / "started";
  const std::string line = "if [ $TASKD_TASK_ID = 1 ]; then trap 'sleep 1.5; : > " + stopped +
                           "; exit' TERM; sleep 60 & wait; else test -e " + stopped +
                           "; echo $? > " + started + ".new; mv " + started + ".new " + started +
                           "; fi";
  const RunResult added = daemon.ctl(
      {"schedule", "add", "tick", "--every", "1s", "--overlap", "replace", "--shell", line});
  REQUIRE_MESSAGE(added.exit_code == 0, added.err);
  wait_for_file(started);
  CHECK(read_text(started) == "0\n");
  CHECK(daemon.show("2").at("depends_on").at(0).at("task") == 1);
}

TEST_CASE("a preview shows where daylight saving moves a slot") {
  const TestDaemon daemon;
  const RunResult added = daemon.ctl(
      {"schedule", "add", "spring", "--cron", "30 2 * * *", "--tz", "Europe/Paris", "--", "true"});
  CHECK(added.exit_code == 0);
  CHECK(added.out.empty());
  CHECK(added.err.starts_with("taskctl: schedule spring created; it fires next at "));
  const std::vector<std::string> preview = {
      "schedule", "preview", "spring", "--from", "2026-03-28T12:00:00Z", "--next", "2"};
  const RunResult shown = daemon.ctl(preview);
  CHECK(shown.exit_code == 0);
  for (const char* text : {"2026-03-29T03:00:00+02:00", "2026-03-29T01:00:00.000Z",
                           "02:30 is skipped that day", "2026-03-30T02:30:00+02:00"}) {
    CHECK_MESSAGE(shown.out.find(text) != std::string::npos, shown.out);
  }
  const nlohmann::json slots = daemon.ctl_json(preview).at("slots");
  CHECK(slots.size() == 2);
  CHECK(slots.at(1).at("note") == "");
}

TEST_CASE("an add refuses a name that is taken, unless it is told to replace") {
  const TestDaemon daemon;
  const std::vector<std::string> add = {"schedule", "add",    "backup", "--cron", "@daily",
                                        "--tz",     "UTC",    "--env",  "A=b",    "--catch-up",
                                        "none",     "--json", "--",     "true"};
  CHECK(daemon.ctl(add).exit_code == 0);
  const RunResult again = daemon.ctl(add);
  CHECK(again.exit_code == 73);
  CHECK(again.out.empty());
  CHECK(again.err == "taskctl: schedule backup already exists; --replace changes it\n");
  const nlohmann::json replaced =
      daemon.ctl_json({"schedule", "add", "backup", "--replace", "--every", "1h", "--timeout", "5m",
                       "--shell", "echo '*'"});
  CHECK(replaced.at("every_ms") == 3'600'000);
  CHECK(replaced.at("task").at("shell") == "echo '*'");
  CHECK(replaced.at("task").at("timeout_ms") == 300'000);
  CHECK(replaced.at("catch_up") == "one");
  const RunResult shown = daemon.ctl({"schedule", "show", "backup"});
  CHECK(shown.out.find("every 1h") != std::string::npos);
  CHECK(shown.out.find("none yet") != std::string::npos);
  CHECK(daemon.ctl_json({"schedule", "list"}).at("schedules").size() == 1);
}

TEST_CASE("a task tells which schedule it came from, as long as that is there") {
  const TestDaemon daemon;
  const std::vector<std::string> add = {"schedule", "add", "nightly", "--cron",
                                        "@yearly",  "--",  "true"};
  REQUIRE(daemon.ctl(add).exit_code == 0);
  REQUIRE(daemon.ctl({"schedule", "trigger", "nightly"}).exit_code == 0);
  CHECK(daemon.show("1").at("schedule") == "nightly");
  CHECK(daemon.ctl_json({"list"}).at("tasks").at(0).at("schedule") == "nightly");
  CHECK(contains(daemon.ctl({"show", "1"}).out, "schedule    nightly\n"));
  const std::string other = daemon.submit({"--like", "1"});
  CHECK(daemon.show(other).at("schedule").is_null());
  CHECK_FALSE(contains(daemon.ctl({"show", other}).out, "schedule"));
  REQUIRE(daemon.ctl({"schedule", "rm", "nightly"}).exit_code == 0);
  CHECK(daemon.show("1").at("schedule").is_null());
  // Another one of the same name is not the one it came from.
  REQUIRE(daemon.ctl(add).exit_code == 0);
  CHECK(daemon.show("1").at("schedule").is_null());
}

TEST_CASE("a schedule command that cannot be is refused with a word on what is wrong") {
  const TestDaemon daemon;
  struct Case {
    std::vector<std::string> args;
    int exit_code;
    std::string names;
  };
  const std::vector<Case> cases = {
      {{}, 64, "needs a verb: add, list"},
      {{"prevew"}, 64, "did you mean \"schedule preview\""},
      {{"show"}, 64, "name one schedule"},
      {{"show", "a b"}, 64, "is not a schedule name"},
      {{"show", "nowhere"}, 66, "nowhere"},
      {{"trigger", "nowhere"}, 66, "nowhere"},
      {{"preview", "x", "--next", "0"}, 64, "--next"},
      {{"preview", "x", "--from", "soon"}, 64, "--from"},
      {{"add", "x", "--", "true"}, 64, "--cron"},
      {{"add", "x", "--cron", "@daily", "--every", "1h", "--", "true"}, 64, "not both"},
      {{"add", "x", "--every", "1h", "--tz", "UTC", "--", "true"}, 64, "--tz"},
      {{"add", "x", "--every", "1h"}, 64, "what should run"},
      {{"add", "x", "--every", "1h", "--at", "12:00", "--", "true"}, 64, "--at"},
      {{"add", "x", "--every", "500ms", "--", "true"}, 65, "--every"},
      {{"add", "x", "--cron", "60 * * * *", "--", "true"}, 65, "--cron: minute: 60"},
      {{"add", "x", "--cron", "@daily", "--tz", "Mars", "--", "true"}, 65, "--tz: there is no"},
      {{"add", "x", "--cron", "@daily", "--overlap", "no", "--", "true"}, 65, "--overlap"},
      {{"add", "x", "--cron", "@daily", "--timeout", "1h", "--queue", "no", "--", "true"},
       66,
       "--queue"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> args = {"schedule"};
    args.insert(args.end(), c.args.begin(), c.args.end());
    const RunResult result = daemon.ctl(args);
    CAPTURE(c.names);
    CAPTURE(result.err);
    CHECK(result.exit_code == c.exit_code);
    CHECK(result.out.empty());
    CHECK(result.err.find(c.names) != std::string::npos);
  }
  CHECK(daemon.ctl({"schedule", "list"}).err == "taskctl: there are no schedules\n");
  CHECK(daemon.ctl({"help", "schedule", "add"}).out.find("--catch-up") != std::string::npos);
}
