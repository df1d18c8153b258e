#include <doctest/doctest.h>

#include "tests/support/daemon.h"

// Looking at keys and setting their limits; what keys do to tasks is in limits_test.cc.
namespace taskd::test {
namespace {

// Runs until `file` is there.
std::string until_there(const std::string& file) {
  return "until [ -e " + file + " ]; do sleep 0.01; done";
}

void wait_until_running(const TestDaemon& daemon, const std::string& id) {
  while (daemon.state(id) != "running") {
  }
}

TEST_CASE("key shows what a key holds back, and sets its limits") {
  const TestDaemon daemon({.workers = 4});
  const std::string gate = daemon.dir() / "gate";
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i)
    ids.push_back(daemon.submit({"--key", "customer/7", "--shell", until_there(gate)}));
  const RunResult list = daemon.ctl({"key", "list"});
  CHECK(list.exit_code == 0);
  CHECK(contains(list.out, "customer/7      1/1"));
  CHECK(contains(daemon.ctl({"key", "show", "customer/7"}).out, "2 by this key"));

  const RunResult set = daemon.ctl({"key", "set", "customer/7", "--limit", "none"});
  CHECK(set.exit_code == 0);
  CHECK(set.err == "taskctl: key customer/7 set: no limit; 0 blocked by it\n");
  for (const std::string& id : ids) wait_until_running(daemon, id);
  CHECK(daemon.ctl_json({"key", "show", "customer/7"}).at("running") == 3);
  CHECK(daemon.ctl_json({"key", "set", "customer/7", "--rate", "5/s"}).at("rate").at("count") == 5);
  write_text(gate, "");
  for (const std::string& id : ids) CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"key", "list"}).err ==
        "taskctl: no key has running, queued or blocked tasks; --all shows all "
        "keys\n");
  CHECK(daemon.ctl_json({"key", "list"}).at("keys").empty());
  CHECK(daemon.ctl_json({"key", "list", "--all"}).at("keys").size() == 1);
}

TEST_CASE("the limit of an array can be changed while it runs") {
  const TestDaemon daemon({.workers = 4});
  const std::string gate = daemon.dir() / "gate";
  REQUIRE(daemon.submit({"--array", "1-4%1", "--shell", until_there(gate)}) == "1");
  CHECK(daemon.ctl_json({"key", "show", "#array-1"}).at("blocked") == 3);
  CHECK(daemon.ctl({"key", "set", "#array-1", "--limit", "4"}).exit_code == 0);
  wait_until_running(daemon, "4");
  write_text(gate, "");
  CHECK(daemon.ctl({"wait", "--array", "1"}).exit_code == 0);
}

TEST_CASE("a key that is not there, or a limit that is none, is refused by name") {
  const TestDaemon daemon;
  const RunResult missing = daemon.ctl({"key", "set", "nobody", "--limit", "1"});
  CHECK(missing.exit_code == 66);
  CHECK(contains(missing.err, "no task of yours has the key \"nobody\""));
  CHECK(daemon.ctl({"key", "show", "nobody"}).exit_code == 66);
  daemon.submit({"--hold", "--key", "k", "--", "true"});
  CHECK(daemon.ctl({"key", "set", "k"}).exit_code == 64);
  CHECK(daemon.ctl({"key", "set", "k", "--limit", "few"}).exit_code == 64);
  CHECK(daemon.ctl({"key", "set", "k", "--rate", "10"}).exit_code == 64);
  CHECK(daemon.ctl({"key", "set", "--limit", "1"}).exit_code == 64);
  CHECK(daemon.ctl({"key", "list", "k"}).exit_code == 64);
  const RunResult zero = daemon.ctl({"key", "set", "k", "--limit", "0"});
  CHECK(zero.exit_code == 65);
  CHECK(contains(zero.err, "limit"));
  CHECK(daemon.ctl({"key", "list", "--user", "no-such-user"}).exit_code == 66);
  CHECK(daemon.ctl_json({"key", "show", "k"}).at("limit") == 1);
}

}  // namespace
}  // namespace taskd::test
