#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("a held task does not run until it is released") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  const std::string after = daemon.submit({"--", "true"});
  CHECK(daemon.wait(after).at("state") == "succeeded");
  CHECK(daemon.state(id) == "held");
  CHECK(daemon.ctl({"release", id}).exit_code == 0);
  CHECK(daemon.wait(id).at("state") == "succeeded");
}

TEST_CASE("a waiting task can be held, and a scheduled one is scheduled again when released") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--delay", "1h", "--", "true"});
  CHECK(daemon.state(id) == "scheduled");
  CHECK(daemon.ctl({"hold", id}).exit_code == 0);
  CHECK(daemon.state(id) == "held");
  CHECK(daemon.ctl({"release", id}).exit_code == 0);
  CHECK(daemon.state(id) == "scheduled");
}

TEST_CASE("a running or ended task cannot be held, and only a held one released") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--", "true"});
  daemon.wait(id);
  CHECK(daemon.ctl({"hold", id}).exit_code == 73);
  CHECK(daemon.ctl({"release", id}).exit_code == 73);
}
