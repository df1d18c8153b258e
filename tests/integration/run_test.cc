#include <doctest/doctest.h>

#include <csignal>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("run shows both streams and exits with the job's code") {
  const TestDaemon daemon;
  const RunResult result = daemon.ctl({"run", "--shell", "echo out; echo err >&2; exit 5"});
  CHECK(result.exit_code == 5);
  CHECK(result.out == "out\n");
  CHECK(result.err.find("err\n") != std::string::npos);
}

TEST_CASE("run misses no output of a job that is over at once") {
  const TestDaemon daemon;
  for (int i = 0; i < 50; ++i) {
    REQUIRE(daemon.ctl({"run", "--shell", "echo quick"}).out == "quick\n");
  }
}

TEST_CASE("run of a missing program says so and exits 127, as a shell does") {
  const TestDaemon daemon;
  const RunResult result = daemon.ctl({"run", "--", "no-such-program"});
  CHECK(result.exit_code == 127);
  CHECK(result.err.find("exec") != std::string::npos);
}

TEST_CASE("an interrupted run without a terminal cancels its task") {
  const TestDaemon daemon;
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  Child child({taskctl_path(), "run", "--shell", "echo begun; sleep 1000"}, options);
  child.wait_for_output("begun");
  child.kill(SIGINT);
  CHECK(child.wait().exit_code != 0);
  CHECK(daemon.wait("last").at("state") == "cancelled");
}
