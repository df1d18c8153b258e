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

TEST_CASE("a result that cannot be taken fails the task, unless it is to be ignored") {
  const TestDaemon daemon({.workers = 2, .config = R"([handlers.lenient]
shell = "echo '{' > $TASKD_RESULT_FILE"
on_bad_result = "ignore"
)"});
  const std::string large = "head -c 70000 /dev/zero | tr '\\0' 1 > $TASKD_RESULT_FILE";
  for (const std::string& script :
       {std::string("echo '{' > $TASKD_RESULT_FILE"), std::string("date > $TASKD_RESULT_FILE"),
        large, std::string("rm $TASKD_RESULT_FILE; ln -s /etc/passwd $TASKD_RESULT_FILE")}) {
    CAPTURE(script);
    const std::string id = daemon.submit({"--shell", script});
    const std::string dependant = daemon.submit({"--after", id, "--", "true"});
    const auto task = daemon.wait(id);
    CHECK(task.at("state") == "failed");
    CHECK(task.at("reason") == "reported");
    CHECK(contains(task.at("error"), "result was rejected"));
    CHECK(contains(daemon.ctl({"show", id}).out, "result was rejected"));
    CHECK(contains(daemon.ctl({"why", id}).out, "result was rejected"));
    CHECK(daemon.wait(dependant).at("reason") == "dependency");
    CHECK(daemon.ctl({"result", id}).exit_code == 66);

    const std::string lenient = daemon.submit({"--on-bad-result", "ignore", "--shell", script});
    CHECK(daemon.wait(lenient).at("state") == "succeeded");
    CHECK(contains(daemon.show(lenient).at("error"), "result was rejected"));
  }
  CHECK(contains(daemon.show("1").at("error"), "at byte "));
  // Another failure stays what it is; and a retry gets another chance.
  const std::string both = daemon.submit({"--shell", "echo '{' > $TASKD_RESULT_FILE; exit 3"});
  CHECK(daemon.wait(both).at("reason") == "exit");
  const std::string again = daemon.submit(
      {"--max-attempts", "2", "--retry-delay", "1ms", "--shell",
       "if [ $TASKD_ATTEMPT = 1 ]; then echo '{'; else echo '{}'; fi > $TASKD_RESULT_FILE"});
  CHECK(daemon.wait(again).at("state") == "succeeded");
  CHECK(daemon.ctl({"result", again}).out == "{}\n");
  // As a default of a handler, and misspelt.
  CHECK(daemon.wait(daemon.submit({"--handler", "lenient"})).at("state") == "succeeded");
  const RunResult wrong = daemon.ctl({"submit", "--on-bad-result", "maybe", "--", "true"});
  CHECK(wrong.exit_code == 64);
  CHECK(contains(wrong.err, "--on-bad-result"));
}

TEST_CASE("an endless result fills no disk, and several results give the last") {
  const TestDaemon daemon;
  const std::string endless =
      daemon.submit({"--shell", "timeout 1 cat /dev/zero > $TASKD_RESULT_FILE; exit 0"});
  CHECK(daemon.wait(endless).at("reason") == "reported");
  const RunResult used = run({"du", "-s", "--block-size=1K", daemon.state_dir() + "/attempts"});
  CHECK(std::stol(used.out) < 1000);
  const std::string several =
      daemon.submit({"--shell", "for i in 1 2 3; do echo $i > $TASKD_RESULT_FILE; done"});
  daemon.wait(several);
  CHECK(daemon.ctl({"result", several}).out == "3\n");
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
