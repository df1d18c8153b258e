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

TEST_CASE("run knows the code of a job that is to be kept for no time") {
  const TestDaemon daemon;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(daemon.ctl({"run", "--keep", "0", "--shell", "exit 5"}).exit_code == 5);
  }
}

TEST_CASE("run of a missing program says so and exits 127, as a shell does") {
  const TestDaemon daemon;
  const RunResult result = daemon.ctl({"run", "--", "no-such-program"});
  CHECK(result.exit_code == 127);
  CHECK(result.err.find("Program no-such-program was not found in PATH") != std::string::npos);
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

TEST_CASE("run says so when its task is cancelled between two attempts, and exits 125") {
  const TestDaemon daemon;
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  Child child(
      {taskctl_path(), "run", "--max-attempts", "2", "--retry-delay", "1h", "--shell", "exit 3"},
      options);
  child.wait_for_output("attempt 1 ended");
  CHECK(daemon.ctl({"cancel", "last"}).exit_code == 0);
  const RunResult result = child.wait();
  CHECK(result.exit_code == 125);
  CHECK(result.err.find("task 1 cancelled") != std::string::npos);
}

TEST_CASE("on a terminal run names its task first, dim where colours are wanted") {
  const TestDaemon daemon;
  const auto shown = [&](const char* color) {
    Terminal terminal(24, 80);
    RunOptions options;
    options.output_file = terminal.path();
    options.env["TERM"] = "xterm";
    options.env["NO_COLOR"] = "";
    CHECK(daemon.ctl({"run", "--color", color, "--", "echo", "hello"}, options).exit_code == 0);
    return terminal.shown();
  };
  CHECK(shown("never") == "task 1\nhello\n");
  CHECK(shown("auto") == "\x1b[2mtask 2\x1b[0m\nhello\n");
  CHECK(daemon.ctl({"run", "--", "true"}).err.empty());
}
