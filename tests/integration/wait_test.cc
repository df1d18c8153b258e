#include <doctest/doctest.h>

#include <csignal>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("wait exits with the one job's code, and with 0 or 1 for several") {
  const TestDaemon daemon;
  const std::string good = daemon.submit({"--", "true"});
  const std::string bad = daemon.submit({"--", "sh", "-c", "exit 42"});
  CHECK(daemon.ctl({"wait", good}).exit_code == 0);
  CHECK(daemon.ctl({"wait", bad}).exit_code == 42);
  CHECK(daemon.ctl({"wait", good, bad}).exit_code == 1);
  CHECK(daemon.ctl({"wait", "1-2"}).exit_code == 1);
}

TEST_CASE("wait --timeout gives up with 75 and leaves the task alone") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"wait", id, "--timeout", "50ms"}).exit_code == 75);
  CHECK(daemon.state(id) == "held");
}

TEST_CASE("wait --all waits for every unfinished task") {
  const TestDaemon daemon;
  for (int i = 0; i < 20; ++i) daemon.submit({"--", "true"});
  CHECK(daemon.ctl({"wait", "--all"}).exit_code == 0);
  CHECK(daemon.ctl_json({"list", "--state", "succeeded"}).at("tasks").size() == 20);
}

TEST_CASE("wait for an array or a workflow means all of it, whenever it ended") {
  const TestDaemon daemon;
  const std::string id =
      daemon.submit({"--array", "1-2", "--shell", "exit $((TASKD_ARRAY_INDEX - 1))"});
  CHECK(daemon.ctl({"wait", "--array", "1"}).exit_code == 1);
  const RunResult again = daemon.ctl({"wait", "--array", "1"});
  CHECK(again.exit_code == 1);
  CHECK(contains(again.err, "task 1[2] failed"));
  for (const char* unknown : {"2", "99"}) {  // no first task of an array
    const RunResult refused = daemon.ctl({"wait", "--array", unknown});
    CHECK(refused.exit_code == 66);
    CHECK(contains(refused.err, "no array whose first task is " + std::string(unknown)));
  }
}

TEST_CASE("wait refuses to look for tasks by a state that is an end") {
  const TestDaemon daemon;
  daemon.wait(daemon.submit({"--", "false"}));
  for (const char* state : {"failed", "succeeded", "cancelled", "running,failed"}) {
    CAPTURE(state);
    const RunResult result = daemon.ctl({"wait", "--state", state});
    CHECK(result.exit_code == 64);
    CHECK(result.err.find("have not ended") != std::string::npos);
  }
  CHECK(daemon.ctl({"wait", "--state", "running,queued"}).exit_code == 0);
}

TEST_CASE("-q is the queue for every verb, and only --quiet is quiet") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.mail]\n"});
  daemon.submit({"--hold", "-q", "mail", "--", "true"});
  const std::string other = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl_json({"list", "-q", "mail"}).at("tasks").size() == 1);
  CHECK(daemon.ctl({"cancel", "-q", "mail", "--quiet"}).err.empty());
  CHECK(daemon.state(other) == "held");
  CHECK(daemon.ctl({"wait", "-q", "mail", "--quiet"}).exit_code == 0);
}

TEST_CASE("waiting requests end with a clear message when the daemon stops") {
  TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  Child waiter({taskctl_path(), "wait", id}, options);
  // Once the daemon answers another client's request it has taken the waiter's too, or will
  // refuse it; either way the waiter must hear that the daemon stops.
  daemon.ctl({"stats"});
  CHECK(daemon.stop().exit_code == 0);
  const RunResult result = waiter.wait();
  CHECK((result.exit_code == 75 || result.exit_code == 69));
  CHECK(result.err.find("waiting up to 15s") != std::string::npos);
  CHECK_FALSE(result.err.empty());
  daemon.start();
}
