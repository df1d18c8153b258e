#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("rm removes an ended task with its output, and its id is never used again") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--", "echo", "hello"});
  daemon.wait(id);
  CHECK(daemon.ctl({"rm", id}).exit_code == 0);
  CHECK(daemon.ctl({"show", id}).exit_code == 66);
  for (const auto& entry :
       std::filesystem::recursive_directory_iterator(daemon.state_dir() + "/attempts")) {
    CHECK_FALSE(entry.is_regular_file());
  }
  CHECK(daemon.submit({"--hold", "--", "true"}) == "2");
}

TEST_CASE("rm of a task that has not ended is refused") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"rm", id}).exit_code == 73);
  CHECK(daemon.state(id) == "held");
}

TEST_CASE("a task is removed with its output when its keep time is over") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--keep", "0", "--", "echo", "gone soon"});
  RunResult shown;
  // The pruner acts at once on a keep time of nothing; every look is a commit later.
  for (int look = 0; look < 1000; ++look) {
    shown = daemon.ctl({"show", id});
    if (shown.exit_code == 66) break;
    daemon.wait(daemon.submit({"--", "true"}));
  }
  CHECK(shown.exit_code == 66);
}
