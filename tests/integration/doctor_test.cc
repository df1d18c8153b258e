#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("doctor is content with a healthy daemon") {
  const TestDaemon daemon;
  const RunResult result = daemon.ctl({"doctor"});
  CAPTURE(result.out);
  CHECK(result.exit_code == 0);
}

TEST_CASE("doctor and every other verb say how to start a daemon when there is none") {
  const TempDir dir;
  RunOptions options;
  options.env["TASKD_SOCKET"] = dir / "nobody";
  CHECK(run({taskctl_path(), "doctor"}, options).exit_code == 1);
  const RunResult list = run({taskctl_path(), "list"}, options);
  CHECK(list.exit_code == 69);
  CHECK(list.err.find("nobody") != std::string::npos);
}
