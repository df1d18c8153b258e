#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("a job reports a result by taskctl, and others read it") {
  const TestDaemon daemon;
  const std::string ctl = "CTL=" + taskctl_path();
  const std::string id = daemon.submit({"--env", ctl, "--shell", "$CTL result '{\"rows\": 17}'"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"result", id}).out == "{\"rows\":17}\n");
  CHECK(daemon.ctl({"result", "last"}).out == "{\"rows\":17}\n");
  CHECK(daemon.ctl_json({"result", id}).at("attempt") == 1);

  const std::string number = daemon.submit({"--env", ctl, "--shell", "echo 42 | $CTL result -"});
  daemon.wait(number);
  CHECK(daemon.ctl({"result", number}).out == "42\n");
}

TEST_CASE("a result in the result file counts at the end, and survives the daemon") {
  TestDaemon daemon;
  const std::string gate = daemon.dir() / "gate";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string id =
      daemon.submit({"--shell", "echo '[1, 2]' > $TASKD_RESULT_FILE; cat " + gate + "; exit 3"});
  daemon.restart_after_kill9();
  write_text(gate, "go");
  CHECK(daemon.wait(id).at("exit_code") == 3);
  CHECK(daemon.ctl({"result", id}).out == "[1,2]\n");
}

TEST_CASE("a broken result file fails nothing and is told in show") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--shell", "echo '{' > $TASKD_RESULT_FILE"});
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "succeeded");
  CHECK(task.at("error").get<std::string>().find("result file was not taken") != std::string::npos);
  CHECK(daemon.ctl({"show", id}).out.find("result file was not taken") != std::string::npos);
  CHECK(daemon.ctl({"result", id}).exit_code == 66);
}

TEST_CASE("result says what it wants") {
  const TestDaemon daemon;
  CHECK(daemon.ctl({"result"}).exit_code == 64);
  CHECK(daemon.ctl({"result", "1", "2"}).exit_code == 64);
  CHECK(daemon.ctl({"result", "7"}).exit_code == 66);
  CHECK(daemon.ctl({"result", "{}"}).exit_code == 64);
  const std::map<std::string, std::string> inside = {
      {"TASKD_TASK_ID", "1"}, {"TASKD_ATTEMPT", "1"}, {"TASKD_TOKEN", "t"}};
  CHECK(daemon.ctl({"result", "{"}, {.env = inside}).exit_code == 65);
  CHECK(daemon.ctl({"result", "{}"}, {.env = inside}).exit_code == 73);
}
