#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

// A job that says when it is ready, and what it hears.
std::string listening_job(const TestDaemon& daemon, const std::string& name) {
  const std::string id = daemon.submit({"--name", name, "--shell",
                                        "trap 'echo heard; exit 4' USR1; : > " +
                                            (daemon.dir() / name) + "; while :; do sleep 1; done"});
  wait_for_file(daemon.dir() / name);
  return id;
}

}  // namespace

TEST_CASE("a signal reaches the running job, of this daemon or of the one before") {
  TestDaemon daemon;
  const std::string fresh = listening_job(daemon, "one");
  CHECK(daemon.ctl({"signal", "USR1", fresh}).err == "taskctl: signalled 1 task\n");
  CHECK(daemon.wait(fresh).at("exit_code") == 4);
  CHECK(daemon.ctl({"logs", fresh}).out == "heard\n");

  const std::string adopted = listening_job(daemon, "two");
  daemon.restart_after_kill9();
  CHECK(daemon.ctl({"signal", "-s", "SIGUSR1", "--name", "two"}).exit_code == 0);
  CHECK(daemon.wait(adopted).at("exit_code") == 4);
}

TEST_CASE("TERM and KILL are the job's real end, not a cancel") {
  const TestDaemon daemon;
  const std::string id = listening_job(daemon, "one");
  CHECK(daemon.ctl({"signal", "KILL", id}).exit_code == 0);
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "failed");
  CHECK(task.at("reason") == "signal");
  CHECK(task.at("signal") == 9);
}

TEST_CASE("a signal to several tasks reaches all of them or none") {
  const TestDaemon daemon;
  const std::string trap = "trap 'echo got; exit 3' USR1; echo ready; while :; do sleep 0.05; done";
  const std::string first = daemon.submit({"--shell", trap});
  const std::string second = daemon.submit({"--shell", trap});
  const std::string held = daemon.submit({"--hold", "--", "true"});
  for (const std::string& id : {first, second}) {
    while (daemon.ctl({"logs", id}).out != "ready\n") {
    }
  }
  const RunResult refused = daemon.ctl({"signal", "USR1", first, second, held});
  CHECK(refused.exit_code == 73);
  CHECK(daemon.state(first) == "running");
  CHECK(daemon.ctl({"signal", "USR1", first, second}).exit_code == 0);
  for (const std::string& id : {first, second}) {
    CHECK(daemon.wait(id).at("exit_code") == 3);
    CHECK(daemon.ctl({"logs", id}).out == "ready\ngot\n");
  }
}

TEST_CASE("what cannot be signalled is refused") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--", "true"});
  daemon.wait(id);
  CHECK(daemon.ctl({"signal", "USR1", id}).exit_code == 73);
  CHECK(daemon.ctl({"signal", "USR1", "99"}).exit_code == 66);
  CHECK(daemon.ctl({"signal", "NOPE", id}).exit_code == 64);
  CHECK(daemon.ctl({"signal", "USR1"}).exit_code == 64);
  CHECK(daemon.ctl({"signal"}).exit_code == 64);
}
