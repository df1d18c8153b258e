#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

// {"argv":["echo","FIRST"]} and so on, one a line.
std::string echo_lines(int first, int last) {
  std::string lines;
  for (int i = first; i <= last; ++i)
    lines += R"({"argv":["echo",")" + std::to_string(i) + "\"]}\n";
  return lines;
}

DaemonOptions with_queues() {
  return {.workers = 1,
          .config = "[queues.big]\ncapacity = 1000000\n[queues.small]\ncapacity = 1500\n"};
}

// Nothing of `queue` starts.
void pause(const TestDaemon& daemon, const std::string& queue) {
  REQUIRE(daemon.ctl({"queue", "pause", queue}).exit_code == 0);
}

long queued(const TestDaemon& daemon, const std::string& queue) {
  return daemon.ctl_json({"queue", "show", queue}).at("counts").at("queued");
}

}  // namespace

TEST_CASE("submit --from takes every line as a task, and the options for what it leaves out") {
  const TestDaemon daemon;
  const RunResult result =
      daemon.ctl({"submit", "--from", "-", "--hold", "--name", "usual", "--label", "batch=7",
                  "--env", "A=1", "--shell", "echo usual"},
                 {.input = "{\"argv\":[\"true\"],\"name\":\"own\"}\n\n  \n"
                           "{\"env\":{\"B\":\"2\"},\"cwd\":\"/\",\"labels\":{}}"});
  CHECK(result.exit_code == 0);
  CHECK(result.out == "1\n2\n");
  CHECK(result.err == "taskctl: submitted 2 tasks\n");
  const auto first = daemon.show("1");
  CHECK(first.at("argv") == nlohmann::json{"true"});
  CHECK(first.at("name") == "own");
  CHECK(first.at("labels").at("batch") == "7");
  CHECK(first.at("env").contains("A"));
  CHECK(first.at("env").contains("PATH"));
  CHECK(first.at("state") == "held");
  const auto second = daemon.show("2");
  CHECK(second.at("shell") == "echo usual");
  CHECK(second.at("name") == "usual");
  CHECK(second.at("labels").empty());
  CHECK(second.at("env") == nlohmann::json{{"B", "***"}});
  CHECK(second.at("cwd") == "/");
}

TEST_CASE("submit --each-line puts the line in the place of {}, or at the end") {
  const TestDaemon daemon;
  const std::string list = daemon.dir() / "list";
  write_text(list, "a b\n\n$HOME; \"x\"\n");
  CHECK(daemon.ctl({"submit", "--each-line", list, "--", "cp", "{}", "to/{}.bak"}).out == "1\n2\n");
  CHECK(daemon.show("1").at("argv") == nlohmann::json{"cp", "a b", "to/a b.bak"});
  CHECK(daemon.show("2").at("argv").at(1) == "$HOME; \"x\"");
  const auto printed = daemon.ctl({"submit", "--json", "--each-line", list, "--", "echo"});
  const auto task = nlohmann::json::parse(printed.out.substr(0, printed.out.find('\n')));
  CHECK(task.at("argv") == nlohmann::json{"echo", "a b"});
  CHECK(task.at("version") == 1);
}

TEST_CASE("the same lines, submitted again, are nothing new, and under another key they are") {
  const TestDaemon daemon(with_queues());
  pause(daemon, "big");
  const std::string file = daemon.dir() / "tasks";
  write_text(file, echo_lines(1, 1100));
  const RunResult first = daemon.ctl({"submit", "--from", file, "--queue", "big"});
  CHECK(first.exit_code == 0);
  const RunResult again = daemon.ctl({"submit", "--from", file, "--queue", "big"});
  CHECK(again.exit_code == 0);
  CHECK(again.out == first.out);
  CHECK(contains(again.err, "resumed: 1,100 tasks were there already; submitted 0 tasks"));
  CHECK(queued(daemon, "big") == 1100);
  const std::vector<std::string> keyed = {"submit", "--from",  file, "--idempotency-key",
                                          "monday", "--queue", "big"};
  CHECK(contains(daemon.ctl(keyed).err, "submitted 1,100 tasks"));
  CHECK(contains(daemon.ctl(keyed).err, "resumed: 1,100"));
  CHECK(queued(daemon, "big") == 2200);
  // A key stands for what was submitted under it.
  write_text(file, echo_lines(1, 1200));
  const RunResult grown = daemon.ctl(keyed);
  CHECK(grown.exit_code == 65);
  CHECK(contains(grown.err, file + ":1001-1200: other tasks were submitted under this"));
  CHECK(queued(daemon, "big") == 2200);
}

TEST_CASE("a bulk submit counts apart what is there already by its unique key") {
  const TestDaemon daemon;
  const auto unique = [](const std::string& key) {
    return R"({"argv":["true"],"unique":{"key":")" + key + "\"}}\n";
  };
  const auto submit = [&](const std::string& lines) {
    return daemon.ctl({"submit", "--from", "-", "--hold"}, {.input = lines});
  };
  CHECK(submit(unique("a")).err == "taskctl: submitted 1 task\n");
  const RunResult mixed = submit(unique("a") + unique("b"));
  CHECK(mixed.out == "1\n2\n");
  CHECK(mixed.err == "taskctl: submitted 1 task; 1 already existed (same unique key)\n");
  // What is twice in the same lines is new once.
  CHECK(submit(unique("c") + unique("c")).err ==
        "taskctl: submitted 1 task; 1 already existed (same unique key)\n");
  const RunResult none = submit(unique("b") + unique("a"));
  CHECK(none.exit_code == 0);
  CHECK(none.out == "2\n1\n");
  CHECK(none.err == "taskctl: submitted 0 tasks; 2 already existed (same unique keys)\n");
  // 1, 3 and 3: as many ids as from 1 to 3.
  CHECK(submit(unique("a") + unique("c") + unique("c")).out == "1\n3\n3\n");
  CHECK(daemon.ctl_json({"list"}).at("tasks").size() == 3);
}

TEST_CASE("a line may be an array, whose id is printed and whose tasks are counted") {
  const TestDaemon daemon;
  const std::string lines = R"({"argv":["true"],"array":{"first":1,"last":9,"step":2}})"
                            "\n"
                            R"({"argv":["true"]})"
                            "\n"
                            R"({"argv":["true"],"array":{"first":7,"last":7}})"
                            "\n";
  const auto submit = [&](const std::vector<std::string>& options) {
    std::vector<std::string> args = {"submit", "--from", "-", "--hold"};
    args.insert(args.end(), options.begin(), options.end());
    return daemon.ctl(args, {.input = lines});
  };
  const RunResult first = submit({});
  CHECK(first.out == "1\n6\n7\n");
  CHECK(first.err == "taskctl: submitted 7 tasks\n");
  const RunResult again = submit({});
  CHECK(again.out == first.out);
  CHECK(contains(again.err, "resumed: 7 tasks were there already; submitted 0 tasks"));
  const RunResult printed = submit({"--json", "--idempotency-key", "k"});
  CHECK(nlohmann::json::parse(printed.out.substr(0, printed.out.find('\n'))).at("last_id") == 12);
  const RunResult each =
      daemon.ctl({"submit", "--each-line", "-", "--hold", "--array", "1-3%2", "--", "echo"},
                 {.input = "a\nb\n"});
  CHECK(each.out == "15\n18\n");
  CHECK(each.err == "taskctl: submitted 6 tasks\n");
}

TEST_CASE("a bulk submit that was killed goes on where it stopped") {
  const TestDaemon daemon(with_queues());
  pause(daemon, "big");
  const std::string fifo = daemon.dir() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  Child child({taskctl_path(), "submit", "--from", fifo, "--queue", "big", "--quiet"},
              {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  {
    std::ofstream lines(fifo);
    lines << echo_lines(1, 1700) << std::flush;
    child.wait_for_output("1000\n");  // the first chunk is in; the second waits for more lines
    child.kill(SIGKILL);
    child.wait();
  }
  CHECK(queued(daemon, "big") == 1000);
  const RunResult rest =
      daemon.ctl({"submit", "--from", "-", "--queue", "big"}, {.input = echo_lines(1, 3000)});
  CHECK(rest.exit_code == 0);
  CHECK(contains(rest.err, "resumed: 1,000 tasks were there already; submitted 2,000 tasks"));
  CHECK(queued(daemon, "big") == 3000);
}

TEST_CASE("an interrupt stops a bulk submit between chunks and tells how far it came") {
  const TestDaemon daemon(with_queues());
  pause(daemon, "big");
  const std::string fifo = daemon.dir() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  Child child({taskctl_path(), "submit", "--from", fifo, "--queue", "big"},
              {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  std::ofstream lines(fifo);
  lines << echo_lines(1, 1001) << std::flush;
  child.wait_for_output("1000\n");
  child.kill(SIGINT);
  const RunResult result = child.wait();
  CHECK(result.exit_code == 128 + SIGINT);
  CHECK(contains(result.err,
                 "stopped; 1,000 tasks of the lines before are submitted; repeat the command"));
}

TEST_CASE("a bulk submit outlives a restart of the daemon") {
  TestDaemon daemon(with_queues());
  pause(daemon, "big");
  const std::string fifo = daemon.dir() / "fifo";
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  Child child({taskctl_path(), "submit", "--from", fifo, "--queue", "big"},
              {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  {
    std::ofstream lines(fifo);
    lines << echo_lines(1, 1500) << std::flush;
    child.wait_for_output("1000\n");
    daemon.kill9();
    lines << echo_lines(1501, 2500) << std::flush;
    child.wait_for_output("the daemon is away");
  }  // before the next daemon is started, which would inherit this end of the pipe
  daemon.start();
  const RunResult result = child.wait();
  CHECK(result.exit_code == 0);
  CHECK(contains(result.err, "submitted 2,500 tasks"));
  CHECK(queued(daemon, "big") == 2500);
}

TEST_CASE("a line that is no task is named, and nothing of its chunk is stored") {
  const TestDaemon daemon(with_queues());
  pause(daemon, "big");
  const std::string file = daemon.dir() / "tasks";
  struct Case {
    std::string line;
    std::string says;
    int code = 65;
  };
  const std::vector<Case> cases = {
      {R"({"argv":["echo")", "not a task in JSON: at byte"},  // half-written
      {"[1]", "not a task in JSON: at byte 1: the document must be one object"},
      {R"({"argv":["x"],"argv":["y"]})", "not a task in JSON: at byte"},
      {R"({"argv":["x"],"priority":"x"})", "priority: must be an integer"},
      {R"({"arg":["x"]})", "arg: unknown field"},
      {R"({"argv":["x"],"queue":"none"})", "queue: there is no queue \"none\"", 66},
      {"{\"argv\":[\"\xff\"]}", "not a task in JSON: at byte"},
  };
  const auto says = [&](const Case& c, int before) {
    write_text(file, echo_lines(1, before) + c.line + "\n" + echo_lines(1, 3));
    const RunResult result = daemon.ctl({"submit", "--from", file, "--queue", "big"});
    CAPTURE(c.line);
    CHECK(result.exit_code == c.code);
    CHECK_MESSAGE(
        contains(result.err, "taskctl: " + file + ":" + std::to_string(before + 1) + ": " + c.says),
        result.err);
    return result.err;
  };
  for (const Case& c : cases) says(c, 3);
  CHECK(queued(daemon, "big") == 0);
  CHECK(contains(says(cases[0], 1100), "; 1,000 tasks of the lines before are submitted"));
  CHECK(queued(daemon, "big") == 1000);
}

TEST_CASE("a full queue stops a bulk submit, which can wait for room instead") {
  const TestDaemon daemon(with_queues());
  pause(daemon, "small");
  const std::string file = daemon.dir() / "tasks";
  write_text(file, echo_lines(1, 2000));
  const RunResult full = daemon.ctl({"submit", "--from", file, "--queue", "small"});
  CHECK(full.exit_code == 75);
  CHECK(contains(full.err, "\"small\" is full (capacity: 1500 waiting tasks)"));
  CHECK(contains(full.err,
                 "1,000 tasks of the lines before are submitted; repeat the command to continue"));
  CHECK(queued(daemon, "small") == 1000);
  Child waiting(
      {taskctl_path(), "submit", "--from", file, "--queue", "small", "--wait-for-room", "10m"},
      {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  waiting.wait_for_output("waiting for room");
  CHECK(daemon.ctl({"cancel", "--queue", "small", "--quiet"}).exit_code == 0);
  const RunResult result = waiting.wait();
  CHECK(result.exit_code == 0);
  CHECK(contains(result.err, "resumed: 1,000 tasks were there already; submitted 1,000 tasks"));
}

TEST_CASE("wrong ways to submit many are refused with a sentence") {
  const TestDaemon daemon;
  struct Case {
    std::vector<std::string> args;
    int exit_code;
    std::string says;
  };
  const std::vector<Case> cases = {
      {{"--from", "/nowhere", "--", "true"}, 65, "cannot read /nowhere: No such file"},
      {{"--from", "/tmp"}, 65, "cannot read /tmp: Is a directory"},
      {{"--from", "-", "--each-line", "-", "--", "x"}, 64, "either --from or --each-line"},
      {{"--each-line", "-"}, 64, "write it after --"},
      {{"--each-line", "-", "--shell", "x"}, 64, "write it after --"},
      {{"--from", "-", "--idempotency-key", "a b"}, 64, "--idempotency-key takes"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> args = {"submit"};
    args.insert(args.end(), c.args.begin(), c.args.end());
    const RunResult result = daemon.ctl(args);
    CAPTURE(result.err);
    CHECK(result.exit_code == c.exit_code);
    CHECK(contains(result.err, c.says));
  }
  CHECK(daemon.ctl({"submit", "--from", "-"}, {.input = ""}).err == "taskctl: submitted 0 tasks\n");
  CHECK(daemon.ctl_json({"list"}).at("tasks").empty());
}

TEST_CASE("a terminal sees how far a bulk submit has come") {
  const TestDaemon daemon(with_queues());
  pause(daemon, "big");
  const std::string file = daemon.dir() / "tasks";
  write_text(file, echo_lines(1, 1500));
  Terminal terminal(24, 80);
  const RunResult result =
      daemon.ctl({"submit", "--from", file, "--queue", "big", "--idempotency-key", "k", "--json"},
                 {.output_file = "/dev/null"});
  CHECK(result.exit_code == 0);
  CHECK(run({"sh", "-c",
             taskctl_path() + " submit --from " + file + " --queue big > /dev/null 2> " +
                 terminal.path()},
            {.env = {{"TASKD_SOCKET", daemon.socket()}, {"TERM", "xterm"}}})
            .exit_code == 0);
  const std::string shown = terminal.shown();
  CHECK(contains(shown, "[####"));
  CHECK(contains(shown, " %  0 tasks"));
  CHECK(contains(shown, "\x1b[Ktaskctl: submitted 1,500 tasks"));
}

TEST_CASE("submit --wait of many waits for all of them, and tells of those that failed") {
  const TestDaemon daemon;
  write_text(daemon.dir() / "codes", "0\n3\n0\n");
  const RunResult mixed = daemon.ctl({"submit", "--wait", "--quiet", "--each-line",
                                      daemon.dir() / "codes", "--", "sh", "-c", "exit {}"});
  CHECK(mixed.exit_code == 1);
  CHECK(mixed.out == "1\n2\n3\n");
  CHECK(contains(mixed.err, "task 2 failed"));
  for (const char* id : {"1", "2", "3"}) CHECK(daemon.show(id).contains("ended_at"));
  const RunResult good = daemon.ctl(
      {"submit", "--wait", "--json", "--from", "-"},
      {.input =
           "{\"argv\":[\"true\"]}\n{\"argv\":[\"true\"],\"array\":{\"first\":1,\"last\":3}}\n"});
  CHECK(good.exit_code == 0);
  CHECK(std::count(good.out.begin(), good.out.end(), '\n') == 4);
  CHECK(contains(good.out, "\"state\":\"succeeded\""));
  CHECK_FALSE(contains(good.out, "\"state\":\"queued\""));
}

TEST_CASE("with --wait-for-room more lines than the queue ever holds go in as it empties") {
  const TestDaemon daemon({.workers = 2, .config = "[queues.tiny]\ncapacity = 3\n"});
  const std::string file = daemon.dir() / "tasks";
  write_text(file, echo_lines(1, 50));
  const std::vector<std::string> command = {"submit", "--from", file, "-q", "tiny"};
  const RunResult refused = daemon.ctl(command);
  CHECK(refused.exit_code == 65);
  CHECK(contains(refused.err, "takes at most 3 waiting tasks"));
  std::vector<std::string> patient = command;
  patient.insert(patient.end(), {"--wait-for-room", "10m"});
  const RunResult all = daemon.ctl(patient);
  CHECK_MESSAGE(all.exit_code == 0, all.err);
  CHECK(std::count(all.out.begin(), all.out.end(), '\n') == 50);
  // Nothing comes twice: not by the same command, nor with room for all at once, nor without
  // waiting.
  REQUIRE(daemon.ctl({"wait", "--all"}).exit_code == 0);
  CHECK(contains(daemon.ctl(patient).err, "50 tasks were there already"));
  REQUIRE(daemon.ctl({"queue", "set", "tiny", "--capacity", "1000"}).exit_code == 0);
  CHECK(contains(daemon.ctl(command).err, "50 tasks were there already"));
  CHECK(daemon.ctl_json({"list", "--all"}).at("tasks").size() == 50);
}

TEST_CASE("a parted chunk that was interrupted goes on where it stopped, also with more room") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.tiny]\ncapacity = 10\n"});
  const std::string file = daemon.dir() / "tasks";
  write_text(file, echo_lines(1, 40));
  pause(daemon, "tiny");
  Child waiting({taskctl_path(), "submit", "--from", file, "-q", "tiny", "--wait-for-room", "10m"},
                {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  waiting.wait_for_output("waiting for room");
  waiting.kill(SIGINT);
  CHECK(waiting.wait().exit_code == 130);
  const long before = queued(daemon, "tiny");
  CHECK(before > 0);
  CHECK(before < 40);
  REQUIRE(daemon.ctl({"queue", "set", "tiny", "--capacity", "1000"}).exit_code == 0);
  CHECK(daemon.ctl({"submit", "--from", file, "-q", "tiny", "--wait-for-room", "10m"}).exit_code ==
        0);
  CHECK(queued(daemon, "tiny") == 40);
}
