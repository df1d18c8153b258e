#include <doctest/doctest.h>

#include <algorithm>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("cancel stops a waiting task at once and a running one with its whole tree") {
  const TestDaemon daemon;
  const std::string held = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"cancel", held}).exit_code == 0);
  CHECK(daemon.state(held) == "cancelled");

  const std::string pids = daemon.dir() / "pids";
  const std::string id = daemon.submit({"--shell", "sleep 1000 & echo $! > " + pids + ".tmp; mv " +
                                                       pids + ".tmp " + pids + "; wait"});
  wait_for_file(pids);
  CHECK(daemon.ctl({"cancel", id}).exit_code == 0);
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "cancelled");
  CHECK(task.at("outcome") == "cancelled");
  std::string pid = read_text(pids);
  pid.pop_back();
  CHECK(read_text("/proc/" + pid + "/stat").empty());
}

TEST_CASE("a job that ignores TERM gets KILL after its grace") {
  const TestDaemon daemon;
  const std::string ready = daemon.dir() / "ready";
  const std::string id =
      daemon.submit({"--grace", "100ms", "--shell",
                     "trap '' TERM; touch " + ready + "; while :; do sleep 1; done"});
  wait_for_file(ready);
  daemon.ctl({"cancel", id});
  CHECK(daemon.wait(id).at("state") == "cancelled");
}

TEST_CASE("a cancelled task is not tried again") {
  const TestDaemon daemon;
  const std::string ready = daemon.dir() / "ready";
  const std::string id = daemon.submit({"--max-attempts", "5", "--retry-delay", "1ms", "--shell",
                                        "touch " + ready + "; sleep 1000"});
  wait_for_file(ready);
  daemon.ctl({"cancel", id});
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "cancelled");
  CHECK(task.at("attempt") == 1);
}

TEST_CASE("cancelling an ended task is refused, and a list with one bad id changes nothing") {
  const TestDaemon daemon;
  const std::string done = daemon.submit({"--", "true"});
  daemon.wait(done);
  CHECK(daemon.ctl({"cancel", done}).exit_code == 73);
  const std::string held = daemon.submit({"--hold", "--", "true"});
  const RunResult mixed = daemon.ctl({"cancel", held, "777"});
  CHECK(mixed.exit_code == 66);
  CHECK(mixed.err.find("777") != std::string::npos);
  CHECK(daemon.state(held) == "held");
  CHECK(daemon.ctl({"cancel", held, done}).exit_code == 73);
  CHECK(daemon.state(held) == "held");
}

TEST_CASE("cancel takes filters") {
  const TestDaemon daemon;
  for (int i = 0; i < 3; ++i) daemon.submit({"--hold", "--label", "batch=a", "--", "true"});
  const std::string other = daemon.submit({"--hold", "--", "true"});
  const RunResult result = daemon.ctl({"cancel", "--label", "batch=a"});
  CHECK(result.exit_code == 0);
  CHECK(result.err.find('3') != std::string::npos);
  CHECK(daemon.ctl_json({"list", "--state", "cancelled"}).at("tasks").size() == 3);
  CHECK(daemon.state(other) == "held");
}

TEST_CASE("an array is cancelled as a whole, and a dry run says so before") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--array", "1-30", "--", "true"});
  const std::string other = daemon.submit({"--hold", "--", "true"});
  const RunResult dry = daemon.ctl({"cancel", "--array", "1", "--dry-run"});
  CHECK(dry.exit_code == 0);
  CHECK(dry.err.find("would cancel 30 tasks (30 held), of which these are the first 10") !=
        std::string::npos);
  CHECK(std::count(dry.out.begin(), dry.out.end(), '\n') == 11);
  CHECK(daemon.state("1") == "held");
  const nlohmann::json cancelled = daemon.ctl_json({"cancel", "--array", "1"});
  CHECK(cancelled.at("count") == 30);
  CHECK(cancelled.at("changed").size() == 30);
  CHECK(daemon.state("30") == "cancelled");
  CHECK(daemon.state(other) == "held");
}
