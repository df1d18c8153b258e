#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

using nlohmann::json;

constexpr char kEcho[] =
    "[handlers.echo]\n"
    "shell = '''cat; echo; cat \"$TASKD_PAYLOAD_FILE\"; echo \" $TASKD_HANDLER $MODE $PWD\"'''\n"
    "env = { MODE = \"fast\" }\n"
    "cwd = \"/\"\n"
    "timeout = \"10m\"\n"
    "max_attempts = 2\n"
    "backoff = { initial = \"1s\", kind = \"constant\" }\n";

std::string output(const TestDaemon& daemon, const std::string& id) {
  return daemon.ctl({"logs", id}).out;
}

RunResult check_config(const std::string& text, const std::string& workers = "2") {
  const TempDir dir;
  write_text(dir / "taskctl.toml", text);
  return run({taskd_path(), "--config", dir / "taskctl.toml", "--check-config"},
             {.env = {{"TASKD_WORKERS", workers}}});
}

}  // namespace

TEST_CASE("a handler gets its payload on stdin and in a file") {
  const TestDaemon daemon({.config = kEcho});
  const std::string id = daemon.submit({"--handler", "echo", "--payload", R"({"to": ["x"]})"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(output(daemon, id) == "{\"to\":[\"x\"]}\n{\"to\":[\"x\"]} echo fast /\n");
}

TEST_CASE("without a payload the handler reads null") {
  const TestDaemon daemon({.config = kEcho});
  const std::string id = daemon.submit({"--handler", "echo"});
  daemon.wait(id);
  CHECK(output(daemon, id) == "null\nnull echo fast /\n");
  CHECK(daemon.show(id).at("payload").is_null());
}

TEST_CASE("a payload comes from a file or from stdin, and must be JSON") {
  const TestDaemon daemon({.config = kEcho});
  const TempDir dir;
  write_text(dir / "p.json", " [1,\n 2] \n");
  const std::string from_file =
      daemon.submit({"--handler", "echo", "--payload", "@" + (dir / "p.json")});
  CHECK(daemon.show(from_file).at("payload") == json{1, 2});
  RunOptions options;
  options.input = "\"text\"";
  const RunResult piped = daemon.ctl({"run", "--handler", "echo", "--payload", "-"}, options);
  CHECK(piped.exit_code == 0);
  CHECK(piped.out == "\"text\"\n\"text\" echo fast /\n");
  const RunResult plain = daemon.ctl({"submit", "--handler", "echo", "--payload", "hello"});
  CHECK(plain.exit_code == 65);
  CHECK(contains(plain.err, "--payload is not JSON: at byte 0"));
  CHECK(daemon.ctl({"submit", "--handler", "echo", "--payload", "{\"a\":1,\"a\":2}"}).exit_code ==
        65);
  CHECK(daemon.ctl({"submit", "--handler", "echo", "--payload", "@" + (dir / "no")}).exit_code ==
        65);
}

TEST_CASE("what the handler says, a submit cannot say") {
  const TestDaemon daemon({.config = kEcho});
  const RunResult env = daemon.ctl({"submit", "--handler", "echo", "--env", "MODE=slow"});
  CHECK(env.exit_code == 65);
  CHECK(contains(env.err, "--env: is set by the handler"));
  CHECK(daemon.ctl({"submit", "--handler", "echo", "--cwd", "/tmp"}).exit_code == 65);
  for (const char* from : {"/dev/null", "-"}) {
    const RunResult input = daemon.ctl({"submit", "--handler", "echo", "--stdin", from});
    CHECK(input.exit_code == 64);
    CHECK(contains(input.err, "a handler reads its --payload"));
  }
  CHECK(daemon.ctl({"submit", "--handler", "echo", "--", "true"}).exit_code == 64);
  CHECK(daemon.ctl({"submit", "--payload", "1", "--", "true"}).exit_code == 65);
  const RunResult unknown = daemon.ctl({"submit", "--handler", "ehco"});
  CHECK(unknown.exit_code == 66);
  CHECK(contains(unknown.err, "there is no handler \"ehco\""));
}

TEST_CASE("the task's own options win over the handler's, these over the queue's") {
  const TestDaemon daemon(
      {.config =
           std::string(kEcho) +
           "[queues.mail.defaults]\ntimeout = \"1m\"\nmax_lost = 9\nlabels = { a = \"b\" }\n"});
  const json task = daemon.show(
      daemon.submit({"--hold", "--queue", "mail", "--handler", "echo", "--max-attempts", "1"}));
  CHECK(task.at("max_attempts") == 1);  // asked for, though it is what a task has anyway
  CHECK(task.at("timeout_ms") == 600'000);
  CHECK(task.at("backoff").at("initial_ms") == 1000);
  CHECK(task.at("max_lost") == 9);
  CHECK(task.at("labels") == json{{"a", "b"}});
  const json plain = daemon.show(daemon.submit({"--hold", "--queue", "mail", "--", "true"}));
  CHECK(plain.at("timeout_ms") == 60'000);
  CHECK(plain.at("max_attempts") == 1);
}

TEST_CASE("a queue's defaults are set and taken back by the options of submit") {
  const TestDaemon daemon;
  CHECK(daemon
            .ctl({"queue", "set", "mail", "--default", "timeout=10m", "--default", "max-attempts=5",
                  "--default", "priority=-3", "--default", "retry-delay=5s"})
            .exit_code == 0);
  CHECK(daemon.ctl_json({"queue", "show", "mail"}).at("defaults") ==
        json::parse(R"({"timeout_ms":600000,"max_attempts":5,"priority":-3,
                        "backoff":{"initial_ms":5000}})"));
  CHECK(contains(daemon.ctl({"queue", "show", "mail"}).out,
                 "priority=-3 timeout=10m max-attempts=5 retry-delay=5s"));
  CHECK(daemon.show(daemon.submit({"-q", "mail", "--hold", "--", "true"})).at("priority") == -3);
  CHECK(daemon
            .ctl({"queue", "set", "mail", "--no-default", "timeout", "--no-default", "retry-delay",
                  "--default", "priority="})
            .exit_code == 0);
  CHECK(daemon.ctl_json({"queue", "show", "mail"}).at("defaults") == json{{"max_attempts", 5}});
  const RunResult wrong = daemon.ctl({"queue", "set", "mail", "--default", "delay=5s"});
  CHECK(wrong.exit_code == 64);
  CHECK(contains(wrong.err, "\"delay\" is not an option that a queue can set a default for"));
  CHECK(daemon.ctl({"queue", "set", "mail", "--default", "timeout=soon"}).exit_code == 64);
  CHECK(daemon.ctl({"queue", "set", "mail", "--default", "slots=5000"}).exit_code == 65);
  CHECK(daemon.ctl_json({"queue", "show", "mail"}).at("defaults") == json{{"max_attempts", 5}});
}

TEST_CASE("defaults of a queue outlive the daemon, and what the file says is set again") {
  TestDaemon daemon;
  daemon.ctl({"queue", "set", "mail", "--default", "timeout=10m"});
  daemon.stop();
  daemon.start();
  CHECK(daemon.show(daemon.submit({"-q", "mail", "--hold", "--", "true"})).at("timeout_ms") ==
        600'000);
  daemon.stop();
  daemon.set_config("[queues.mail.defaults]\nmax_attempts = 3\n");
  daemon.start();
  CHECK(daemon.ctl_json({"queue", "show", "mail"}).at("defaults") == json{{"max_attempts", 3}});
}

TEST_CASE("an attempt runs what the configuration says at its start, and fails when it says none") {
  TestDaemon daemon({.config = "[handlers.job]\nshell = \"echo old\"\n"});
  const std::string held = daemon.submit({"--hold", "--handler", "job"});
  const std::string other = daemon.submit({"--hold", "--handler", "job"});
  daemon.stop();
  daemon.set_config("");
  daemon.start();
  daemon.ctl({"release", held});
  const json failed = daemon.wait(held);
  CHECK(failed.at("state") == "failed");
  CHECK(failed.at("reason") == "spawn");
  CHECK(failed.at("error") == "there is no handler \"job\" in the daemon's configuration any more");
  CHECK(contains(daemon.ctl({"show", held}).out, "there is no handler \"job\""));
  daemon.stop();
  daemon.set_config("[handlers.job]\ncommand = [\"echo\", \"new\"]\n");
  daemon.start();
  CHECK(daemon.ctl({"retry", held}).exit_code == 0);
  CHECK(daemon.wait(held).at("state") == "succeeded");
  CHECK(output(daemon, held) == "new\n");
  daemon.ctl({"release", other});
  daemon.wait(other);
  CHECK(output(daemon, other) == "new\n");
}

TEST_CASE("a daemon for handlers only takes no command") {
  TestDaemon daemon({.config = kEcho});
  const std::string old = daemon.submit({"--", "false"});
  daemon.wait(old);
  daemon.ctl({"schedule", "add", "old", "--every", "1h", "--", "true"});
  daemon.stop();
  daemon.set_config(std::string("handlers_only = true\n") + kEcho);
  daemon.start();
  const std::string waiting = daemon.submit({"--hold", "--handler", "echo"});
  for (const std::vector<std::string>& way : std::vector<std::vector<std::string>>{
           {"submit", "--", "true"},
           {"run", "--shell", "true"},
           {"schedule", "add", "new", "--every", "1h", "--", "true"},
           {"schedule", "trigger", "old"},
           {"edit", waiting, "--shell", "true"},
           {"submit", "--from", "-"},
           {"workflow", "submit", "-"}}) {
    CAPTURE(way.at(0));
    RunOptions options;
    options.input =
        way.at(0) == "workflow" ? "{\"chain\":[{\"shell\":\"true\"}]}" : "{\"shell\":\"true\"}\n";
    const RunResult refused = daemon.ctl(way, options);
    CHECK(refused.exit_code == 77);
    CHECK(contains(refused.err, "this daemon takes no commands"));
  }
  CHECK(daemon.ctl({"retry", old}).exit_code == 77);
  const std::string id = daemon.submit({"--handler", "echo"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
}

TEST_CASE("handlers are listed and shown, a long payload cut") {
  const TestDaemon daemon({.config = kEcho});
  const RunResult list = daemon.ctl({"handlers"});
  CHECK(contains(list.out, "echo"));
  CHECK(contains(list.out, "/bin/sh"));
  CHECK(contains(list.out, "timeout=10m"));
  CHECK(daemon.ctl_json({"handlers"}).at("handlers").at(0).at("defaults").at("max_attempts") == 2);
  const std::string id = daemon.submit(
      {"--hold", "--handler", "echo", "--payload", "\"" + std::string(5000, 'x') + "\""});
  const RunResult shown = daemon.ctl({"show", id});
  CHECK(contains(shown.out, "handler     echo\n"));
  CHECK(contains(shown.out, "(5002 bytes; --json shows all of it)"));
  CHECK(shown.out.size() < 2000);
  CHECK(daemon.show(id).at("payload").get<std::string>().size() == 5000);
  CHECK(contains(daemon.ctl({"list"}).out, "handler echo"));
  CHECK(daemon.ctl({"edit", id, "--payload", "{\"a\":null}"}).exit_code == 0);
  CHECK(daemon.show(id).at("payload") == json{{"a", nullptr}});
}

TEST_CASE("workflows, schedules and lines of a file name handlers, too") {
  const TestDaemon daemon({.config = kEcho});
  RunOptions options;
  options.input = R"({"chain":[{"handler":"echo","payload":1},{"shell":"true"}]})";
  CHECK(daemon.ctl({"workflow", "submit", "--wait", "-"}, options).exit_code == 0);
  CHECK(output(daemon, "1") == "1\n1 echo fast /\n");
  CHECK(
      daemon.ctl({"schedule", "add", "s", "--every", "1h", "--handler", "echo", "--payload", "[2]"})
          .exit_code == 0);
  CHECK(contains(daemon.ctl({"schedule", "show", "s"}).out, "payload     [2]"));
  const std::string triggered = daemon.ctl({"schedule", "trigger", "s", "--json"}).out;
  const std::string id =
      std::to_string(json::parse(triggered).at("tasks").at(0).at("id").get<int>());
  daemon.wait(id);
  CHECK(output(daemon, id) == "[2]\n[2] echo fast /\n");
  options.input = "{\"payload\":3}\n{\"argv\":[\"pwd\"]}\n";
  const RunResult lines = daemon.ctl({"submit", "--from", "-", "--handler", "echo"}, options);
  CHECK(lines.exit_code == 0);
  const std::string first = lines.out.substr(0, lines.out.find('\n'));
  daemon.wait(first);
  CHECK(output(daemon, first) == "3\n3 echo fast /\n");
}

TEST_CASE("each wrong setting of a handler or of a queue's defaults is named with its place") {
  struct Case {
    std::string text;
    std::string says;
  };
  for (const Case& c : std::vector<Case>{
           {"[handlers.a]\n", ":1: handlers.a: exactly one of \"command\" and \"shell\" is needed"},
           {"[handlers.a]\nshell = \"x\"\ncommand = [\"x\"]\n", "exactly one of"},
           {"[handlers.a]\ncommand = []\n", ":2: handlers.a.command: must have 1 to 1000 items"},
           {"[handlers.a]\ncommand = [\"\"]\n", ":2: handlers.a.command.0: must not be empty"},
           {"[handlers.a]\ncommand = \"x\"\n",
            ":2: handlers.a.command: must be an array of strings"},
           {"[handlers.a]\nargv = [\"x\"]\n", "did you mean \"command\"?"},
           {"[handlers.\"a b\"]\nshell = \"x\"\n", "handlers.a b: a handler's name is"},
           {"[handlers.a]\nshell = \"x\"\ntimeuot = 5\n",
            ":3: handlers.a.timeuot: unknown setting"},
           {"[handlers.a]\nshell = \"x\"\ntimeout_ms = 5\n", ":3: handlers.a.timeout_ms: unknown"},
           {"[handlers.a]\nshell = \"x\"\ntimeout = 5\n",
            ":3: handlers.a.timeout: expected a time"},
           {"[handlers.a]\nshell = \"x\"\n\nslots = 0\n", ":4: handlers.a.slots: must be from 1"},
           {"workers = 2\n[handlers.a]\nshell = \"x\"\nslots = 3\n",
            ":4: handlers.a.slots: the daemon has 2 workers"},
           {"[queues.q.defaults]\nslots = 3\n",
            ":2: queues.q.defaults.slots: the daemon has 2 workers"},
           {"[queues.q.defaults]\nresources = { gpu = 3 }\n[resources]\ngpu = [0, 1]\n",
            ":2: queues.q.defaults.resources.gpu: [resources] does not have that much"},
           {"[handlers.a]\nshell = \"x\"\nbackoff = { max = 5 }\n",
            ":3: handlers.a.backoff.max: expected"},
           {"[handlers.a]\nshell = \"x\"\ndelay = 5\n", ":3: handlers.a.delay: unknown setting"},
           {"[handlers.a]\nshell = \"x\"\nhold = true\n",
            ":3: handlers.a.hold: cannot be a default"},
           {"[handlers.a]\nshell = \"x\"\ncwd = \"tmp\"\n",
            ":3: handlers.a.cwd: must be an absolute"},
           {"[handlers.a]\nshell = \"x\"\nuser = \"no-such-user\"\n",
            "there is no user no-such-user"},
           {"[handlers.a]\nshell = \"x\"\nnotify = [\"h\"]\n", "there is no [hooks.h]"},
           {"[handlers.a]\nshell = \"x\"\nresources = { gpu = 1 }\n",
            ":3: handlers.a.resources.gpu: [resources]"},
           {"handlers = 5\n", ":1: handlers: expected tables [handlers.NAME]"},
           {"handlers_only = 3\n", "handlers_only = \"3\": expected true or false"},
           {"[queues.q.defaults]\ntimeout = \"x\"\n",
            ":2: queues.q.defaults.timeout: expected a time"},
           {"[queues.q.defaults]\nname = \"x\"\n",
            ":2: queues.q.defaults.name: cannot be a default"},
           {"[queues.q]\ndefaults = 5\n", ":2: queues.q.defaults: expected a table"},
       }) {
    CAPTURE(c.text);
    const RunResult result = check_config(c.text);
    CAPTURE(result.err);
    CHECK(result.exit_code == 78);
    CHECK(contains(result.err, c.says));
  }
}

TEST_CASE("slots of the configuration are held against the workers that there will be") {
  const std::string text = "workers = 1\n[queues.q.defaults]\nslots = 3\n";
  CHECK(check_config(text, "3").exit_code == 0);
  CHECK(check_config(text, "2").exit_code == 78);
  const TempDir dir;
  write_text(dir / "taskctl.toml", text);
  const RunResult start = run({taskd_path(), "--config", dir / "taskctl.toml", "--state-dir",
                               dir / "state", "--socket", dir / "sock", "--workers", "2"});
  CHECK(start.exit_code == 78);
  CHECK(contains(start.err, "queues.q.defaults.slots: the daemon has 2 workers"));
}

TEST_CASE("the effective settings are a file that says the same") {
  const std::string text =
      "handlers_only = true\n[resources]\ngpu = [0, 1]\n" + std::string(kEcho) +
      "keep = \"2d\"\nkey = { name = \"k\", limit = 2, rate = \"10/1m\" }\n"
      "resources = { gpu = 2 }\nlabels = { \"a b\" = \"c\\\"d\" }\nretry_on = [1, \"timeout\"]\n"
      "[queues.q.defaults]\ngrace = \"5s\"\npriority = \"high\"\n";
  const RunResult once = check_config(text);
  REQUIRE_MESSAGE(once.exit_code == 0, once.err);
  CHECK(contains(once.out, "env = { MODE = \"***\" }"));
  CHECK(contains(once.out, "rate = \"10/1m\""));
  CHECK(contains(once.out, "[queues.q.defaults]\ngrace = \"5s\"\npriority = \"high\"\n"));
  const RunResult twice = check_config(once.out);
  REQUIRE_MESSAGE(twice.exit_code == 0, twice.err);
  CHECK(once.out.substr(once.out.find('\n')) == twice.out.substr(twice.out.find('\n')));
}
