#include <doctest/doctest.h>
#include <sys/stat.h>

#include "daemon/base/text.h"
#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("submit prints the bare id and the command runs with its arguments exactly") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--", "printf", "%s|", "a b", "", "*", "$HOME", "[x,y]"});
  CHECK(id == "1");
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", id}).out == "a b||*|$HOME|[x,y]|");
}

TEST_CASE("submit --shell runs a line by the shell") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--shell", "echo one two | wc -w"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", id}).out == "2\n");
}

TEST_CASE("submit --wait exits with the job's own code") {
  const TestDaemon daemon;
  CHECK(daemon.ctl({"submit", "--wait", "--", "sh", "-c", "exit 7"}).exit_code == 7);
  CHECK(daemon.ctl({"submit", "--wait", "--", "true"}).exit_code == 0);
  const RunResult killed = daemon.ctl({"submit", "--wait", "--", "sh", "-c", "kill -9 $$"});
  CHECK(killed.exit_code == 128 + 9);
  CHECK(killed.out == "3\n");
  CHECK(killed.err == "taskctl: task 3 failed: SIGKILL\n");
}

TEST_CASE("a job runs in the caller's folder with the variables it was given") {
  const TestDaemon daemon;
  const std::string id =
      daemon.submit({"--cwd", daemon.dir().path(), "--env", "GREETING=hello world", "--shell",
                     "pwd; echo $GREETING; echo $TASKD_TASK_ID.$TASKD_ATTEMPT in $TASKD_QUEUE"});
  daemon.wait(id);
  CHECK(daemon.ctl({"logs", id}).out ==
        daemon.dir().path() + "\nhello world\n" + id + ".1 in default\n");
}

TEST_CASE("priorities go first, and inside a priority the oldest goes first") {
  const TestDaemon daemon({.workers = 1});
  const std::string gate = daemon.dir() / "gate";
  const std::string order = daemon.dir() / "order";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string first = daemon.submit({"--", "cat", gate});
  std::vector<std::string> ids;
  for (const char* priority : {"low", "normal", "urgent", "high", "normal", "-5", "urgent"}) {
    ids.push_back(
        daemon.submit({"--priority", priority, "--shell", "echo $TASKD_TASK_ID >> " + order}));
  }
  write_text(gate, "go");
  for (const std::string& id : ids) daemon.wait(id);
  CHECK(read_text(order) == "4\n8\n5\n3\n6\n7\n2\n");
}

TEST_CASE("a delayed task is scheduled first and runs when its time has come") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--delay", "300ms", "--", "true"});
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "succeeded");
  const auto time = [&](const char* field) {
    return taskd::parse_rfc3339(task.at(field).get<std::string>()).value();
  };
  CHECK(time("started_at") - time("created_at") >= 300);
}

TEST_CASE("a repeated key gives the same task, and another body under it is refused") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--idempotency-key", "nightly-7", "--", "true"});
  CHECK(daemon.submit({"--idempotency-key", "nightly-7", "--", "true"}) == id);
  const RunResult other = daemon.ctl({"submit", "--idempotency-key", "nightly-7", "--", "false"});
  CHECK(other.exit_code == 65);
  CHECK(other.err.find("--idempotency-key") != std::string::npos);
}

TEST_CASE("a failing task is tried again after its back-off until its attempts are spent") {
  const TestDaemon daemon;
  const std::string counter = daemon.dir() / "count";
  const std::string id =
      daemon.submit({"--max-attempts", "3", "--retry-delay", "10ms", "--shell",
                     "echo x >> " + counter + "; test $(wc -l < " + counter + ") -eq 3"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.show(id).at("attempt") == 3);
  const std::string never =
      daemon.submit({"--max-attempts", "2", "--retry-delay", "1ms", "--", "false"});
  const auto failed = daemon.wait(never);
  CHECK(failed.at("state") == "failed");
  CHECK(failed.at("reason") == "exit");
  CHECK(failed.at("attempt") == 2);
}

TEST_CASE("--no-retry-on and --retry-on choose which exit codes are tried again") {
  const TestDaemon daemon;
  const std::vector<std::string> retry = {"--max-attempts", "3", "--retry-delay", "1ms"};
  const auto submit = [&](std::vector<std::string> more) {
    more.insert(more.begin(), retry.begin(), retry.end());
    return daemon.wait(daemon.submit(more)).at("attempt").get<int>();
  };
  CHECK(submit({"--no-retry-on", "2", "--", "sh", "-c", "exit 2"}) == 1);
  CHECK(submit({"--no-retry-on", "2", "--", "sh", "-c", "exit 3"}) == 3);
  CHECK(submit({"--retry-on", "75", "--", "sh", "-c", "exit 1"}) == 1);
  CHECK(submit({"--retry-on", "75", "--", "sh", "-c", "exit 75"}) == 3);
}

TEST_CASE("a timeout stops the whole tree, even what ignores TERM") {
  const TestDaemon daemon;
  const std::string pids = daemon.dir() / "pids";
  const std::string id =
      daemon.submit({"--timeout", "200ms", "--grace", "100ms", "--shell",
                     "trap '' TERM; setsid sh -c 'trap \"\" TERM; echo $$ >> " + pids +
                         "; sleep 1000' & echo $$ >> " + pids + "; sleep 1000; wait"});
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "failed");
  CHECK(task.at("reason") == "timeout");
  std::istringstream lines(read_text(pids));
  int count = 0;
  for (std::string pid; lines >> pid; ++count) CHECK(read_text("/proc/" + pid + "/stat").empty());
  CHECK(count == 2);
}

TEST_CASE("a missing program, a missing folder and an unreadable file each say what failed") {
  const TestDaemon daemon;
  auto task = daemon.wait(daemon.submit({"--", "no-such-program"}));
  CHECK(task.at("reason") == "spawn");
  CHECK(task.at("error") == "Program no-such-program was not found in PATH");
  task = daemon.wait(daemon.submit({"--cwd", "/no/such/folder", "--", "true"}));
  CHECK(task.at("reason") == "spawn");
  CHECK(task.at("error") == "Folder /no/such/folder does not exist");
  CHECK(contains(daemon.ctl({"show", "last"}).out, "Folder /no/such/folder does not exist"));
  write_text(daemon.dir() / "windows", "#!/bin/sh\r\necho hi\r\n");
  REQUIRE(::chmod((daemon.dir() / "windows").c_str(), 0755) == 0);
  const RunResult windows = daemon.ctl({"run", "--", daemon.dir() / "windows"});
  CHECK(windows.exit_code == 127);
  CHECK(contains(windows.err, "Interpreter /bin/sh\\r of " + (daemon.dir() / "windows") +
                                  " does not exist: its lines end with CR LF"));
  CHECK(contains(daemon.ctl({"why", "last"}).out, "Interpreter /bin/sh\\r of "));
  CHECK(contains(daemon.ctl({"list"}).out, "Interpreter /bin/sh\\r of "));
  write_text(daemon.dir() / "script", "echo hi\n");
  task = daemon.wait(daemon.submit({"--", daemon.dir() / "script"}));
  CHECK(task.at("reason") == "spawn");
  CHECK(task.at("error").get<std::string>().find("ermission") != std::string::npos);
}

TEST_CASE("a full queue refuses with 75 and takes tasks again when there is room") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.small]\ncapacity = 2\n"});
  const std::string a = daemon.submit({"--queue", "small", "--hold", "--", "true"});
  daemon.submit({"--queue", "small", "--hold", "--", "true"});
  const RunResult full = daemon.ctl({"submit", "--queue", "small", "--", "true"});
  CHECK(full.exit_code == 75);
  CHECK(full.out.empty());
  CHECK(full.err.find("small") != std::string::npos);
  CHECK(daemon.ctl({"cancel", a}).exit_code == 0);
  CHECK(daemon.ctl({"submit", "--queue", "small", "--", "true"}).exit_code == 0);
}

TEST_CASE("a queue of capacity 0 says that it takes nothing, and does not invite to try again") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.closed]\ncapacity = 0\n"});
  const RunResult closed = daemon.ctl({"submit", "--queue", "closed", "--", "true"});
  CHECK(closed.exit_code == 75);
  CHECK(closed.err == "taskctl: queue \"closed\" takes no tasks: its capacity is 0\n");
}

TEST_CASE("wrong submits are refused with a sentence that names what is wrong, and store nothing") {
  const TestDaemon daemon;
  struct Case {
    std::vector<std::string> args;
    int exit_code;
    std::string names;
  };
  const std::vector<Case> cases = {
      {{"--"}, 64, "command"},
      {{"--", ""}, 64, "empty"},
      {{"--queue", "nowhere", "--", "true"}, 66, "nowhere"},
      {{"--priority", "99999999999", "--", "true"}, 64, "priority"},
      {{"--priority", "highest", "--", "true"}, 64, "priority"},
      {{"--timeout", "-1s", "--", "true"}, 64, "timeout"},
      {{"--delay", "soon", "--", "true"}, 64, "delay"},
      {{"--max-attempts", "0", "--", "true"}, 65, "max-attempts"},
      {{"--name", "a\nb", "--", "true"}, 65, "name"},
      {{"--env", "=x", "--", "true"}, 64, "env"},
      {{"--cwd", std::string(5000, 'a'), "--", "true"}, 65, "cwd"},
      {{"--no-such-flag", "--", "true"}, 64, "no-such-flag"},
      {{"--shell", "true", "--", "true"}, 64, "shell"},
      {{"--name", "\xff\xfe", "--", "true"}, 65, "UTF-8"},
      {{"--at", "2026-02-31 10:00", "--", "true"}, 64, "at"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> args = {"submit"};
    args.insert(args.end(), c.args.begin(), c.args.end());
    const RunResult result = daemon.ctl(args);
    CAPTURE(c.names);
    CAPTURE(result.err);
    CHECK(result.exit_code == c.exit_code);
    CHECK(result.out.empty());
    CHECK(result.err.find(c.names) != std::string::npos);
  }
  CHECK(daemon.ctl_json({"list"}).at("tasks").empty());
}

TEST_CASE("an argument of 128 KiB less one byte arrives whole") {
  const TestDaemon daemon;
  const std::string big(131'071, 'x');
  const std::string id = daemon.submit({"--", "printf", "%s", big});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", id}).out == big);
}

TEST_CASE("a job reads the file that submit names, or what submit itself was given") {
  const TestDaemon daemon;
  const std::string input = daemon.dir() / "input";
  write_text(input, "from a file\n");
  const std::string file = daemon.submit({"--stdin", input, "--", "cat"});
  CHECK(daemon.wait(file).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", file}).out == "from a file\n");
  CHECK(daemon.show(file).at("stdin").at("file") == input);

  const RunResult piped =
      daemon.ctl({"run", "--stdin", "-", "--", "wc", "-c"}, {.input = "typed here\n"});
  CHECK(piped.out == "11\n");
  CHECK(daemon.show("last").at("stdin").at("text") == "***");

  const std::string missing = daemon.submit({"--stdin", "no-such-file", "--", "cat"});
  const auto task = daemon.wait(missing);
  CHECK(task.at("reason") == "spawn");
  const std::string error = task.at("error");
  CHECK(error.starts_with("Input /"));
  CHECK(error.ends_with("/no-such-file does not exist"));
}

TEST_CASE("a stdin that is no text or too long is refused before anything is sent") {
  const TestDaemon daemon;
  const std::vector<std::string> submit = {"submit", "--stdin", "-", "--", "cat"};
  CHECK(daemon.ctl(submit, {.input = "\xff"}).exit_code == 65);
  CHECK(daemon.ctl(submit, {.input = std::string("a\0b", 3)}).exit_code == 65);
  CHECK(daemon.ctl(submit, {.input = std::string((512 << 10) + 1, 'x')}).exit_code == 65);
  CHECK(daemon.ctl({"submit", "--stdin", "-", "--from", "-"}).exit_code == 64);
  CHECK(daemon.ctl({"show", "last"}).exit_code == 66);
}

TEST_CASE("submit --like runs what another task ran, its environment included") {
  const TestDaemon daemon;
  const std::string id = daemon.submit(
      {"--env", "WORD=hello", "--cwd", daemon.dir() / "", "--", "sh", "-c", "echo $WORD; pwd"});
  daemon.wait(id);
  const std::string same = daemon.submit({"--like", id});
  daemon.wait(same);
  CHECK(daemon.ctl({"logs", same}).out == daemon.ctl({"logs", id}).out);
  const std::string other = daemon.submit({"--like", "last", "--env", "WORD=bye"});
  daemon.wait(other);
  CHECK(daemon.ctl({"logs", other}).out.starts_with("bye\n"));
  CHECK(daemon.ctl({"run", "--like", id, "--", "sh", "-c", "echo $WORD again"}).out ==
        "hello again\n");
  CHECK(daemon.ctl({"submit", "--like", "99"}).exit_code == 66);
  CHECK(daemon.ctl({"submit", "--after", "99", "--", "true"}).exit_code == 66);
  CHECK(daemon.ctl({"submit", "--like", "x"}).exit_code == 64);
  CHECK(daemon.ctl({"submit", "--like", id, "--from", "-"}).exit_code == 64);
}
