#include <doctest/doctest.h>
#include <sys/stat.h>

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

TEST_CASE("dead tasks are found and tried again together, and what failed with them is revived") {
  const TestDaemon daemon({.workers = 2, .config = "[queues.mail]\n"});
  const std::string flag = daemon.dir() / "flag";
  const std::string dead = daemon.submit({"--queue", "mail", "--", "test", "-e", flag});
  const std::string doomed =
      daemon.submit({"--queue", "mail", "--after", dead, "--", "test", "-e", flag});
  const std::string elsewhere = daemon.submit({"--", "false"});
  for (const std::string& id : {dead, doomed, elsewhere}) daemon.wait(id);
  const auto list = daemon.ctl_json({"list", "--dead", "--queue", "mail"});
  REQUIRE(list.at("tasks").size() == 1);
  CHECK(list.at("tasks")[0].at("id") == std::stoi(dead));
  CHECK(daemon.ctl_json({"list", "--reason", "dependency"}).at("tasks").size() == 1);

  const auto dry =
      daemon.ctl_json({"retry", "--dead", "--queue", "mail", "--since", "1h", "--dry-run"});
  CHECK(dry.at("count") == 1);
  CHECK(dry.at("ids")[0] == std::stoi(dead));
  CHECK(daemon.state(dead) == "failed");

  write_text(flag, "");
  CHECK(daemon.ctl({"retry", "--dead", "--queue", "mail", "--since", "1h"}).exit_code == 0);
  CHECK(daemon.wait(dead).at("state") == "succeeded");
  CHECK(daemon.wait(doomed).at("state") == "succeeded");
  CHECK(daemon.show(elsewhere).at("attempt") == 1);
}

TEST_CASE("retry --edit changes an ended task and runs it again with its history") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--env", "LEVEL=1", "--", "sh", "-c", "exit $LEVEL"});
  CHECK(daemon.wait(id).at("exit_code") == 1);
  CHECK(daemon.ctl({"retry", "--edit", id, "--env", "LEVEL=0", "--name", "better"}).exit_code == 0);
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "succeeded");
  CHECK(task.at("name") == "better");
  CHECK(task.at("attempts").size() == 2);
  CHECK(daemon.ctl({"retry", id, "--edit", "--", "false"}).exit_code == 0);
  CHECK(daemon.wait(id).at("state") == "failed");

  const std::string held = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"retry", "--edit", held, "--timeout", "1h"}).exit_code == 73);
  CHECK(daemon.ctl({"retry", "--edit", "99", "--timeout", "1h"}).exit_code == 66);
  CHECK(daemon.ctl({"retry", "--edit", "--state", "failed"}).exit_code == 64);
  CHECK(daemon.state(held) == "held");
}

TEST_CASE("retry --edit without options opens the editor") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--", "false"});
  daemon.wait(id);
  const std::string editor = daemon.dir() / "editor";
  write_text(editor, "#!/bin/sh\nsed -i 's/\"false\"/\"true\"/' \"$1\"\n");
  REQUIRE(::chmod(editor.c_str(), 0700) == 0);
  const RunResult edited = daemon.ctl(
      {"retry", "--edit", id}, {.env = {{"VISUAL", editor}, {"TMPDIR", daemon.dir().path()}}});
  CHECK(edited.exit_code == 0);
  CHECK(daemon.wait(id).at("state") == "succeeded");
}
