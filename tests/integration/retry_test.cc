#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("retry runs an ended task again with a fresh budget and keeps its history") {
  const TestDaemon daemon;
  const std::string flag = daemon.dir() / "flag";
  const std::string id =
      daemon.submit({"--max-attempts", "2", "--retry-delay", "1ms", "--", "test", "-e", flag});
  CHECK(daemon.wait(id).at("state") == "failed");
  write_text(flag, "");
  CHECK(daemon.ctl({"retry", id}).exit_code == 0);
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "succeeded");
  CHECK(task.at("attempts").size() == 3);
  CHECK(task.at("attempts")[0].at("exit_code") == 1);
  CHECK(task.at("attempts")[2].at("exit_code") == 0);
}

TEST_CASE("retry of a filter takes the failed ones and leaves the rest") {
  const TestDaemon daemon;
  const std::string flag = daemon.dir() / "flag";
  for (int i = 0; i < 3; ++i) daemon.submit({"--", "test", "-e", flag});
  const std::string good = daemon.submit({"--", "true"});
  daemon.ctl({"wait", "--all"});
  write_text(flag, "");
  CHECK(daemon.ctl({"retry", "--state", "failed"}).exit_code == 0);
  daemon.ctl({"wait", "--all"});
  CHECK(daemon.ctl_json({"list", "--state", "succeeded"}).at("tasks").size() == 4);
  CHECK(daemon.show(good).at("attempt") == 1);
}

TEST_CASE("a task that has not ended cannot be retried") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"retry", id}).exit_code == 73);
  CHECK(daemon.state(id) == "held");
}

TEST_CASE("a retry puts no more tasks into a queue than it takes") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.small]\ncapacity = 2\n"});
  std::vector<std::string> ids;
  for (int i = 0; i < 2; ++i) {
    ids.push_back(daemon.submit({"--queue", "small", "--", "false"}));
    daemon.wait(ids.back());
  }
  daemon.submit({"--queue", "small", "--hold", "--", "true"});
  const RunResult listed = daemon.ctl({"retry", ids[0], ids[1]});
  CHECK(listed.exit_code == 75);
  CHECK(listed.err.find("small") != std::string::npos);
  CHECK(daemon.show(ids[0]).at("attempt") == 1);
  daemon.submit({"--queue", "small", "--hold", "--", "true"});
  CHECK(daemon.ctl({"retry", "--queue", "small"}).exit_code == 75);
  CHECK(daemon.state(ids[0]) == "failed");
}
