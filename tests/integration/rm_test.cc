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
  daemon.wait(id);
  RunResult shown;
  // It is kept some seconds all the same; every look is a task's delay later.
  for (int look = 0; look < 60; ++look) {
    shown = daemon.ctl({"show", id});
    if (shown.exit_code == 66) break;
    daemon.wait(daemon.submit({"--delay", "500ms", "--", "true"}));
  }
  CHECK(shown.exit_code == 66);
}

TEST_CASE("output that a crash left of a removed task goes at the next start, and no other") {
  namespace fs = std::filesystem;
  TestDaemon daemon;
  const std::string kept = daemon.submit({"--", "echo", "kept"});
  const std::string removed = daemon.submit({"--", "echo", "removed"});
  daemon.wait(kept);
  daemon.wait(removed);
  CHECK(daemon.ctl({"rm", removed}).exit_code == 0);
  daemon.kill9();
  const std::string left = daemon.state_dir() + "/attempts/0/" + removed + ".1";
  fs::create_directories(left);
  write_text(left + "/stdout.0", "left");
  daemon.start();
  // Every look is a task later.
  for (int look = 0; look < 1000 && fs::exists(left); ++look) {
    daemon.wait(daemon.submit({"--", "true"}));
  }
  CHECK_FALSE(fs::exists(left));
  CHECK(daemon.ctl({"logs", kept}).out == "kept\n");
}
