#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("stats counts tasks by state and queue, and the workers") {
  const TestDaemon daemon({.workers = 3, .config = "[queues.mail]\ncapacity = 10\n"});
  daemon.submit({"--queue", "mail", "--hold", "--", "true"});
  daemon.wait(daemon.submit({"--", "true"}));
  daemon.wait(daemon.submit({"--", "false"}));
  const auto stats = daemon.ctl_json({"stats"});
  CHECK(stats.at("workers").at("total") == 3);
  CHECK(stats.at("counts").at("held") == 1);
  CHECK(stats.at("counts").at("succeeded") == 1);
  CHECK(stats.at("counts").at("failed") == 1);
  const RunResult table = daemon.ctl({"stats"});
  CHECK(table.exit_code == 0);
  CHECK(table.out.find("mail") != std::string::npos);
}
