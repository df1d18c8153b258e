#include <doctest/doctest.h>
#include <sys/stat.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

// An editor that runs a line of the shell with the file as $1.
RunOptions with_editor(const TestDaemon& daemon, const std::string& line) {
  const std::string path = daemon.dir() / "editor";
  write_text(path, "#!/bin/sh\n" + line + "\n");
  REQUIRE(::chmod(path.c_str(), 0700) == 0);
  return {.env = {{"VISUAL", path}, {"TMPDIR", daemon.dir().path()}}};  // a text that is kept
}

}  // namespace

TEST_CASE("edit changes a waiting task by the options of submit, and nothing else of it") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.night]\n"});
  const std::string id = daemon.submit({"--hold", "--name", "old", "--env", "KEEP=1", "--env",
                                        "DROP=1", "--label", "a=1", "--shell", "false"});
  const RunResult result = daemon.ctl({"edit",
                                       id,
                                       "--priority",
                                       "high",
                                       "--queue",
                                       "night",
                                       "--name",
                                       "new",
                                       "--env",
                                       "MORE=2",
                                       "--unset-env",
                                       "DROP",
                                       "--label",
                                       "b=2",
                                       "--unset-label",
                                       "a",
                                       "--timeout",
                                       "1m",
                                       "--",
                                       "sh",
                                       "-c",
                                       "echo $KEEP.$DROP.$MORE"});
  CHECK(result.exit_code == 0);
  CHECK(result.err == "taskctl: edited task " + id + "\n");
  const auto task = daemon.show(id);
  CHECK(task.at("priority") == 10);
  CHECK(task.at("queue") == "night");
  CHECK(task.at("name") == "new");
  CHECK(task.at("labels") == nlohmann::json{{"b", "2"}});
  CHECK(task.at("timeout_ms") == 60'000);
  CHECK(task.at("state") == "held");
  CHECK(task.at("env").contains("PATH"));
  daemon.ctl({"release", id});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", id}).out == "1..2\n");
}

TEST_CASE("edit moves the start of a task, and starts it at once with --delay 0") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--delay", "1h", "--", "true"});
  CHECK(daemon.ctl_json({"edit", id, "--delay", "2h"}).at("tasks").at(0).at("state") ==
        "scheduled");
  CHECK(daemon.ctl({"edit", id, "--delay", "0"}).exit_code == 0);
  CHECK(daemon.wait(id).at("state") == "succeeded");
}

TEST_CASE("edit without options opens the task in the editor") {
  const TestDaemon daemon;
  const std::string id =
      daemon.submit({"--hold", "--name", "old", "--env", "SECRET=x", "--", "printenv", "SECRET"});
  CHECK(daemon.ctl({"edit", id}, with_editor(daemon, "true")).err ==
        "taskctl: nothing was changed\n");
  const RunResult result = daemon.ctl(
      {"edit", id}, with_editor(daemon,
                                "grep -q '\"SECRET\": \"\\*\\*\\*\"' \"$1\" && sed -i "
                                "'s/\"old\"/\"new\"/; s/\"priority\": 0/\"priority\": 7/' \"$1\""));
  CHECK(result.exit_code == 0);
  CHECK(daemon.show(id).at("name") == "new");
  CHECK(daemon.show(id).at("priority") == 7);
  daemon.ctl({"release", id});
  daemon.wait(id);
  CHECK(daemon.ctl({"logs", id}).out == "x\n");
}

TEST_CASE("what was edited badly is refused, and the text is kept") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  const RunOptions options = with_editor(daemon, "echo '{\"argv\": [}' > \"$1\"");
  const RunResult broken = daemon.ctl({"edit", id}, options);
  CHECK(broken.exit_code == 65);
  CHECK(contains(broken.err, "taskctl: line 1: "));
  CHECK(contains(broken.err, "nothing was changed, and your text is in " + daemon.dir().path()));
  const RunResult refused =
      daemon.ctl({"edit", id}, with_editor(daemon, "sed -i 's/\"default\"/\"none\"/' \"$1\""));
  CHECK(refused.exit_code == 66);
  CHECK(contains(refused.err, "there is no queue \"none\""));
  CHECK(daemon.ctl({"edit", id}, with_editor(daemon, "exit 3")).exit_code == 74);
  CHECK(daemon
            .ctl({"edit", id},
                 {.env = {{"VISUAL", "/no/such/editor"}, {"TMPDIR", daemon.dir().path()}}})
            .exit_code == 78);
  CHECK(daemon.show(id).at("queue") == "default");
}

TEST_CASE("a person at a terminal is offered to edit again") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  const std::string count = daemon.dir() / "count";
  const RunOptions options =
      with_editor(daemon, "if [ -e " + count +
                              " ]; then sed -i 's/broken/\"priority\": 5/' \"$1\"; else sed -i "
                              "'s/\"priority\": 0/broken/' \"$1\"; touch " +
                              count + "; fi");
  Terminal terminal(24, 80);
  terminal.type("y\n");
  RunOptions on_terminal = options;
  on_terminal.env["TASKD_SOCKET"] = daemon.socket();
  CHECK(run({"sh", "-c",
             taskctl_path() + " edit " + id + " < " + terminal.path() + " 2> " + terminal.path()},
            on_terminal)
            .exit_code == 0);
  CHECK(contains(terminal.shown(), "Edit it again? [y/N]"));
  CHECK(daemon.show(id).at("priority") == 5);
}

TEST_CASE("of two editors the later one does not overwrite the earlier") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--", "true"});
  const RunResult late = daemon.ctl(
      {"edit", id},
      with_editor(daemon,
                  taskctl_path() + " edit --socket " + daemon.socket() + " " + id +
                      " --priority 3 && sed -i 's/\"priority\": 0/\"priority\": 9/' \"$1\""));
  CHECK(late.exit_code == 73);
  CHECK(contains(late.err, "was changed by somebody else; nothing was changed, and your text is in"));
  CHECK(daemon.show(id).at("priority") == 3);
}

TEST_CASE("edits that cannot be are refused with a sentence") {
  const TestDaemon daemon;
  const std::string done = daemon.submit({"--", "true"});
  daemon.wait(done);
  CHECK(daemon.ctl({"edit", done, "--priority", "1"}).exit_code == 73);
  CHECK(daemon.ctl({"edit", done}, {.env = {{"VISUAL", "false"}, {"TMPDIR", daemon.dir().path()}}})
            .err == "taskctl: cannot edit task " + done + ": it has succeeded\n");
  CHECK(daemon.ctl({"edit", "99", "--priority", "1"}).exit_code == 66);
  CHECK(daemon.ctl({"edit"}).exit_code == 64);
  CHECK(daemon.ctl({"edit", "1", "2"}).exit_code == 64);
  CHECK(daemon.ctl({"edit", done, "--hold"}).exit_code == 64);
  CHECK(daemon.ctl({"edit", done, "--priority", "x"}).exit_code == 64);
}

TEST_CASE("edit changes several tasks by the same options") {
  const TestDaemon daemon;
  for (int i = 0; i < 4; ++i) daemon.submit({"--hold", "--", "true"});
  const RunResult edited = daemon.ctl({"edit", "1", "3-4", "--priority", "high"});
  CHECK(edited.exit_code == 0);
  CHECK(edited.err == "taskctl: edited 3 tasks\n");
  for (const char* id : {"1", "3", "4"}) CHECK(daemon.show(id).at("priority") == 10);
  CHECK(daemon.show("2").at("priority") == 0);
  const auto json = daemon.ctl_json({"edit", "2,last", "--name", "x"});
  CHECK(json.at("tasks").size() == 2);
  CHECK(json.at("tasks").at(1).at("name") == "x");
  CHECK(daemon.ctl({"edit", "2,2", "--name", "y"}).err == "taskctl: edited task 2\n");
  CHECK(daemon.ctl({"edit", "1", "2"}).exit_code == 64);
}

TEST_CASE("of several ids none is edited when one is not there or does not wait") {
  const TestDaemon daemon;
  const std::string waits = daemon.submit({"--hold", "--", "true"});
  const std::string done = daemon.submit({"--", "true"});
  daemon.wait(done);
  const RunResult result = daemon.ctl({"edit", waits, done, "99", "--priority", "high"});
  CHECK(result.exit_code == 66);
  CHECK(contains(result.err, "there is no task 99"));
  const RunResult ended = daemon.ctl({"edit", waits, done, "--priority", "high"});
  CHECK(ended.exit_code == 73);
  CHECK(contains(ended.err, "cannot edit task " + done + ": it has succeeded"));
  CHECK(contains(ended.err, "nothing was changed"));
  CHECK(daemon.ctl({"edit", waits, "99", "--priority", "high"}).exit_code == 66);
  const RunResult wrong = daemon.ctl({"edit", waits, waits + "-" + waits, "98-99", "--name", "x"});
  CHECK(wrong.exit_code == 66);
  CHECK(daemon.show(waits).at("priority") == 0);
}

TEST_CASE(
    "what of several ids is refused after all is told with its id, and the others are edited") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.small]\ncapacity = 2\n"});
  for (int i = 0; i < 4; ++i) daemon.submit({"--hold", "--", "true"});
  const RunResult full = daemon.ctl({"edit", "1-4", "--queue", "small"});
  CHECK(full.exit_code == 75);
  CHECK(contains(full.err, "task 3: queue \"small\" is full (capacity: 2 waiting tasks)"));
  CHECK(contains(full.err, "task 4: "));
  CHECK(contains(full.err, "edited 2 tasks"));
  CHECK(daemon.show("2").at("queue") == "small");
  CHECK(daemon.show("3").at("queue") == "default");
  const RunResult none = daemon.ctl({"edit", "1-4", "--queue", "none"});
  CHECK(none.exit_code == 66);
  CHECK(contains(none.err, "task 1: --queue: there is no queue \"none\"; nothing was changed"));
}

TEST_CASE("edit offers no option that an edit cannot change") {
  const TestDaemon daemon;
  const std::string help = daemon.ctl({"edit", "--help"}).out;
  for (const char* option : {"--unique", "--after", "--array", "--hold", "--like", "--idempotency"})
    CHECK_FALSE_MESSAGE(contains(help, option), option);
  CHECK(contains(help, "--key-limit"));
  CHECK(contains(daemon.ctl({"submit", "--help"}).out, "--unique-for"));
  CHECK(contains(daemon.ctl({"schedule", "add", "--help"}).out, "--unique-for"));
  const std::string id = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"edit", id, "--unique", "k"}).exit_code == 64);
}

TEST_CASE("move puts waiting tasks into another queue") {
  const TestDaemon daemon(
      {.workers = 1, .config = "[queues.night]\n[queues.small]\ncapacity = 1\n"});
  daemon.ctl({"queue", "pause", "default"});
  daemon.ctl({"queue", "pause", "night"});
  const std::string first = daemon.submit({"--", "true"});
  const std::string second = daemon.submit({"--", "true"});
  const std::string third = daemon.submit({"--", "true"});
  CHECK(daemon.ctl({"move", "night", first}).err == "taskctl: moved 1 task\n");
  CHECK(daemon.show(first).at("queue") == "night");
  CHECK(daemon.ctl({"move", "night", "--queue", "default"}).err == "taskctl: moved 2 tasks\n");
  CHECK(daemon.show(third).at("queue") == "night");
  const RunResult too_many = daemon.ctl({"move", "small", first, second});
  CHECK(too_many.exit_code == 65);
  CHECK(contains(too_many.err, "takes at most 1 waiting task, but these are 2"));
  CHECK(daemon.show(first).at("queue") == "night");
  daemon.submit({"--queue", "small", "--hold", "--", "true"});
  CHECK(daemon.ctl({"move", "small", first}).exit_code == 75);
  CHECK(daemon.show(first).at("queue") == "night");
  const RunResult none = daemon.ctl({"move", "none", first});
  CHECK(none.exit_code == 66);
  CHECK(none.err == "taskctl: there is no queue \"none\"\n");
  CHECK(daemon.ctl({"move", "night"}).exit_code == 64);
  CHECK(daemon.ctl({"move"}).exit_code == 64);
  daemon.ctl({"queue", "resume", "night"});
  CHECK(daemon.wait(first).at("state") == "succeeded");
  CHECK(daemon.ctl({"move", "default", first}).exit_code == 73);
}
