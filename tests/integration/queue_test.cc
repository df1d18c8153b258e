#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

#include "tests/support/daemon.h"
#include "tests/support/users.h"

using namespace taskd::test;

namespace {

// Jobs of these tests append lines to one file, the log of what started and ended when.
std::vector<std::string> logged(const std::string& path) {
  std::istringstream text(read_text(path));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

nlohmann::json queue(const TestDaemon& daemon, const std::string& name) {
  return daemon.ctl_json({"queue", "show", name});
}

// Submits a job that runs until open_gate() is called for its gate, and waits until it does run.
std::string submit_gated(const TestDaemon& daemon, const std::string& name,
                         const std::string& gate) {
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string line = ": > " + gate + ".reached; read line < " + gate;
  const std::string id = daemon.submit({"--queue", name, "--shell", line});
  wait_for_file(gate + ".reached");
  return id;
}
void open_gate(const std::string& gate) {
  REQUIRE(run({"sh", "-c", "echo > " + gate}).exit_code == 0);
}

// A claim has looked at every queue since this was called, more often than any has turns to spare.
void let_others_start(const TestDaemon& daemon) {
  for (int i = 0; i < 3; ++i) daemon.wait(daemon.submit({"--", "true"}));
}

}  // namespace

TEST_CASE("a queue of concurrency 1 never runs two tasks at once") {
  const TestDaemon daemon({.workers = 4, .config = "[queues.one]\nconcurrency = 1\n"});
  const std::string log = daemon.dir() / "jobs";
  const std::string line = "echo start >> " + log + "; echo end >> " + log;
  std::vector<std::string> ids;
  for (int i = 0; i < 12; ++i) ids.push_back(daemon.submit({"--queue", "one", "--shell", line}));
  for (const std::string& id : ids) CHECK(daemon.wait(id).at("state") == "succeeded");
  const std::vector<std::string> lines = logged(log);
  REQUIRE(lines.size() == 24);
  for (std::size_t i = 0; i < lines.size(); ++i) CHECK(lines[i] == (i % 2 == 0 ? "start" : "end"));
}

TEST_CASE(
    "a paused queue starts nothing while what runs goes on, and starts at once when resumed") {
  const TestDaemon daemon({.workers = 2, .config = "[queues.mail]\n"});
  const std::string gate = daemon.dir() / "gate";
  const std::string running = submit_gated(daemon, "mail", gate);
  const RunResult paused = daemon.ctl({"queue", "pause", "mail", "--reason", "relay is down"});
  CHECK(paused.exit_code == 0);
  CHECK(paused.out.empty());
  CHECK(paused.err == "taskctl: queue mail paused; 1 running task continues\n");
  const std::string waiting = daemon.submit({"--queue", "mail", "--", "true"});
  let_others_start(daemon);
  CHECK(daemon.state(running) == "running");
  open_gate(gate);
  CHECK(daemon.wait(running).at("state") == "succeeded");
  let_others_start(daemon);
  CHECK(daemon.state(waiting) == "queued");
  CHECK(daemon.ctl({"queue", "list"}).out.find("paused: relay is down") != std::string::npos);
  CHECK(daemon.ctl({"queue", "show", "mail"}).out.find("relay is down") != std::string::npos);
  CHECK(daemon.ctl({"stats"}).out.find("paused") != std::string::npos);
  CHECK(daemon.ctl({"queue", "resume", "mail"}).err == "taskctl: queue mail resumed\n");
  CHECK(daemon.wait(waiting).at("state") == "succeeded");
  CHECK(queue(daemon, "mail").at("paused").is_null());
}

TEST_CASE("a draining queue refuses submits and retries, and runs what it holds") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.mail]\n"});
  const std::string gate = daemon.dir() / "gate";
  const std::string ended = daemon.submit({"--queue", "mail", "--", "true"});
  daemon.wait(ended);
  const std::string running = submit_gated(daemon, "mail", gate);
  const std::string waiting = daemon.submit({"--queue", "mail", "--", "true"});
  CHECK(daemon.ctl({"queue", "drain", "mail"}).err ==
        "taskctl: queue mail is draining; 1 running and 1 waiting are left\n");
  const std::string refusal = "taskctl: queue \"mail\" is draining and takes no new tasks\n";
  const RunResult submitted = daemon.ctl({"submit", "--queue", "mail", "--", "true"});
  CHECK(submitted.exit_code == 75);
  CHECK(submitted.err == refusal);
  const RunResult retried = daemon.ctl({"retry", ended});
  CHECK(retried.exit_code == 75);
  CHECK(retried.err == refusal);
  open_gate(gate);
  CHECK(daemon.wait(running).at("state") == "succeeded");
  CHECK(daemon.wait(waiting).at("state") == "succeeded");
  CHECK(daemon.ctl({"queue", "resume", "mail"}).exit_code == 0);
  CHECK(daemon.ctl({"submit", "--queue", "mail", "--", "true"}).exit_code == 0);
}

TEST_CASE("a rate of 2/1h starts two tasks at once and no third, not even after a restart") {
  TestDaemon daemon({.workers = 1, .config = "[queues.slow]\nrate = \"2/1h\"\n"});
  std::vector<std::string> tasks;
  for (int i = 0; i < 4; ++i) tasks.push_back(daemon.submit({"--queue", "slow", "--", "true"}));
  daemon.wait(tasks[0]);
  daemon.wait(tasks[1]);
  let_others_start(daemon);
  CHECK(queue(daemon, "slow").at("counts").at("queued") == 2);
  daemon.restart_after_kill9();
  let_others_start(daemon);
  CHECK(queue(daemon, "slow").at("counts").at("queued") == 2);
  CHECK(daemon.ctl({"queue", "set", "slow", "--rate", "none"}).exit_code == 0);
  CHECK(daemon.wait(tasks[2]).at("state") == "succeeded");
  CHECK(daemon.wait(tasks[3]).at("state") == "succeeded");
}

TEST_CASE("a flooded queue does not starve another") {
  const TestDaemon daemon({.workers = 2, .config = "[queues.flood]\n[queues.mail]\n"});
  const std::string log = daemon.dir() / "jobs";
  const std::string gate = daemon.dir() / "gate";
  const std::string other_gate = daemon.dir() / "other-gate";
  submit_gated(daemon, "default", gate);
  submit_gated(daemon, "default", other_gate);
  std::string flood;
  for (int i = 0; i < 100; ++i)
    flood += R"({"queue":"flood","shell":"echo flood >> )" + log + "\"}\n";
  CHECK(daemon.ctl({"submit", "--from", "-"}, {.input = flood}).exit_code == 0);
  daemon.submit({"--queue", "mail", "--shell", "echo mail >> " + log});
  open_gate(gate);
  open_gate(other_gate);
  CHECK(daemon.ctl({"wait", "--all", "--timeout", "60s"}).exit_code == 0);
  const std::vector<std::string> lines = logged(log);
  REQUIRE(lines.size() == 101);
  CHECK(std::find(lines.begin(), lines.end(), "mail") - lines.begin() < 10);
}

TEST_CASE("a queue is removed only once nothing of it is left") {
  const TestDaemon daemon;
  CHECK(daemon.ctl({"queue", "set", "mail"}).err == "taskctl: queue mail created\n");
  daemon.submit({"--queue", "mail", "--hold", "--", "true"});
  const RunResult used = daemon.ctl({"queue", "rm", "mail"});
  CHECK(used.exit_code == 73);
  CHECK(used.err.find("1 held") != std::string::npos);
  CHECK(used.err.find("taskctl cancel --queue mail") != std::string::npos);
  CHECK(daemon.ctl({"cancel", "--queue", "mail"}).exit_code == 0);
  CHECK(daemon.ctl({"queue", "rm", "mail"}).exit_code == 73);
  CHECK(daemon.ctl({"rm", "--queue", "mail"}).exit_code == 0);
  CHECK(daemon.ctl_json({"queue", "rm", "mail"}).at("name") == "mail");
  CHECK(daemon.ctl({"queue", "show", "mail"}).exit_code == 66);
  CHECK(daemon.ctl({"submit", "--queue", "mail", "--", "true"}).exit_code == 66);
  CHECK(daemon.ctl({"queue", "rm", "default"}).exit_code == 73);
}

TEST_CASE("a queue to which schedules submit is not removed, and some of them are named") {
  const TestDaemon daemon({.workers = 1, .config = "[queues.mail]\n"});
  const auto add = [&](const std::string& name) {
    return daemon.ctl({"schedule", "add", name, "--every", "1h", "--queue", "mail", "--", "true"});
  };
  CHECK(add("news").exit_code == 0);
  const RunResult one = daemon.ctl({"queue", "rm", "mail"});
  CHECK(one.exit_code == 73);
  CHECK(contains(one.err, "the schedule \"news\" submits to queue \"mail\""));
  for (const char* name : {"ads", "bills", "digest", "extra"}) CHECK(add(name).exit_code == 0);
  CHECK(contains(daemon.ctl({"queue", "rm", "mail"}).err,
                 "the schedules \"ads\", \"bills\", \"digest\" and 2 more submit to"));
  CHECK(daemon.ctl({"queue", "show", "mail"}).exit_code == 0);
  for (const char* name : {"ads", "bills", "digest", "extra", "news"})
    CHECK(daemon.ctl({"schedule", "rm", name}).exit_code == 0);
  CHECK(daemon.ctl({"queue", "rm", "mail"}).exit_code == 0);
}

TEST_CASE("what was set of a queue survives a crash of the daemon") {
  TestDaemon daemon;
  CHECK(daemon
            .ctl({"queue", "set", "mail", "--capacity", "7", "--concurrency", "2", "--rate",
                  "10/1m", "--weight", "3"})
            .exit_code == 0);
  CHECK(daemon.ctl({"queue", "pause", "mail", "--reason", "why not"}).exit_code == 0);
  CHECK(daemon.ctl({"queue", "drain", "mail"}).exit_code == 0);
  const nlohmann::json before = queue(daemon, "mail");
  CHECK(before.at("capacity") == 7);
  CHECK(before.at("concurrency") == 2);
  CHECK(before.at("rate") == nlohmann::json{{"count", 10}, {"per_ms", 60'000}});
  CHECK(before.at("weight") == 3);
  CHECK(before.at("paused").at("reason") == "why not");
  CHECK(before.at("draining") == true);
  daemon.restart_after_kill9();
  CHECK(queue(daemon, "mail") == before);

  CHECK(daemon.ctl({"queue", "set", "mail", "--rate", "none", "--concurrency", "none"}).err ==
        "taskctl: queue mail set\n");
  CHECK(queue(daemon, "mail").at("rate").is_null());
  CHECK(queue(daemon, "mail").at("concurrency").is_null());
  CHECK(queue(daemon, "mail").at("weight") == 3);
}

TEST_CASE("each start sets again what the file names of a queue, and leaves the rest") {
  TestDaemon daemon(
      {.workers = 1, .config = "[queues.mail]\nconcurrency = 2\nrate = \"10/1m\"\nweight = 3\n"});
  CHECK(queue(daemon, "mail").at("concurrency") == 2);
  CHECK(queue(daemon, "mail").at("rate") == nlohmann::json{{"count", 10}, {"per_ms", 60'000}});
  CHECK(daemon.ctl({"queue", "set", "mail", "--weight", "9", "--rate", "1/s", "--capacity", "5"})
            .exit_code == 0);
  daemon.stop();
  daemon.start();
  const nlohmann::json mail = queue(daemon, "mail");
  CHECK(mail.at("weight") == 3);
  CHECK(mail.at("rate").at("per_ms") == 60'000);
  CHECK(mail.at("capacity") == 5);
}

TEST_CASE("a queue command that cannot be is refused with a word on what is wrong") {
  const TestDaemon daemon;
  struct Case {
    std::vector<std::string> args;
    int exit_code;
    std::string names;
  };
  const std::vector<Case> cases = {
      {{}, 64, "needs a verb"},
      {{"lits"}, 64, "did you mean \"queue list\""},
      {{"xyzzy"}, 64, "no verb \"queue xyzzy\""},
      {{"show"}, 64, "name one queue"},
      {{"show", "a", "b"}, 64, "name one queue"},
      {{"show", "a b"}, 64, "is not a queue name"},
      {{"set", "../tasks"}, 64, "is not a queue name"},
      {{"show", "nowhere"}, 66, "nowhere"},
      {{"pause", "nowhere"}, 66, "nowhere"},
      {{"set", "mail", "--weight", "heavy"}, 64, "--weight"},
      {{"set", "mail", "--weight", "0"}, 65, "--weight"},
      {{"set", "mail", "--rate", "10"}, 64, "--rate"},
      {{"set", "mail", "--concurrency", "99999999999"}, 65, "--concurrency"},
      {{"pause", "default", "--reason", "\x1b[31m"}, 65, "--reason"},
      {{"pause", "default", "--reason", "\xff"}, 65, "--reason"},
      {{"resume", "default", "--reason", "x"}, 64, "--reason"},
  };
  for (const Case& c : cases) {
    std::vector<std::string> args = {"queue"};
    args.insert(args.end(), c.args.begin(), c.args.end());
    const RunResult result = daemon.ctl(args);
    CAPTURE(c.names);
    CAPTURE(result.err);
    CHECK(result.exit_code == c.exit_code);
    CHECK(result.out.empty());
    CHECK(result.err.find(c.names) != std::string::npos);
  }
  CHECK(daemon.ctl_json({"queue", "list"}).at("queues").size() == 1);
  CHECK(daemon.ctl({"help", "queue", "set"}).out.find("--rate") != std::string::npos);
}

TEST_CASE("only an admin changes queues, and everybody may look") {
  if (!can_make_users()) return;
  const SystemUsers users(1);
  const TestDaemon daemon({.workers = 1, .for_all_users = true});
  const auto as_user = [&](const std::vector<std::string>& args) {
    std::vector<std::string> argv = {taskctl_path(), "queue"};
    argv.insert(argv.end(), args.begin(), args.end());
    return users.run(users[0], argv, daemon.with_socket());
  };
  const RunResult listed = as_user({"list"});
  CHECK(listed.exit_code == 0);
  const RunResult paused = as_user({"pause", "default"});
  CHECK(paused.exit_code == 77);
  CHECK(paused.err == "taskctl: only root and the daemon's own user change queues\n");
  CHECK(as_user({"set", "mine"}).exit_code == 77);
}

TEST_CASE("doctor tells of a queue that is paused, and takes no limit for a stand-still") {
  const TestDaemon daemon({.workers = 3,
                           .config = "[queues.mail]\n[queues.one]\nconcurrency = 1\n"
                                     "[queues.slow]\nrate = \"1/1h\"\n"});
  CHECK(daemon.ctl({"queue", "pause", "mail"}).exit_code == 0);
  const std::string gate = daemon.dir() / "gate";
  submit_gated(daemon, "one", gate);
  daemon.wait(daemon.submit({"--queue", "slow", "--", "true"}));
  for (const char* name : {"mail", "one", "slow"}) daemon.submit({"--queue", name, "--", "true"});
  const RunResult checked = daemon.ctl({"doctor"});
  CAPTURE(checked.out);
  CHECK(checked.exit_code == 0);
  CHECK(checked.out.find("taskctl queue resume mail") != std::string::npos);
  open_gate(gate);
}
