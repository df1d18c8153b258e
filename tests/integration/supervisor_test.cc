// What becomes of attempts when their supervisors, or the server these come from, are stopped or
// killed.
#include <doctest/doctest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

namespace fs = std::filesystem;

std::string comm_and_state(const std::string& pid) {
  return read_text("/proc/" + pid + "/stat");
}

bool is_alive(const std::string& pid) {
  const std::string stat = comm_and_state(pid);
  const std::size_t name_end = stat.rfind(')');
  return name_end != std::string::npos && stat[name_end + 2] != 'Z' && stat[name_end + 2] != 'X';
}

std::string parent_of(const std::string& pid) {
  const std::string stat = comm_and_state(pid);
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string::npos) return "";  // it has ended meanwhile
  const std::size_t at = name_end + 4;
  return stat.substr(at, stat.find(' ', at) - at);
}

// The fork server of the daemon; fails the test when there is none.
pid_t fork_server_of(const TestDaemon& daemon) {
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (parent_of(pid) != std::to_string(daemon.pid())) continue;
    if (contains(read_text("/proc/" + pid + "/cmdline"), "fork-server")) return std::stoi(pid);
  }
  FAIL("there is no fork server");
  return -1;
}

std::string read_line(const std::string& path) {
  wait_for_file(path);
  std::string text;
  // The file is there a moment before its text.
  for (int i = 0; i < 60'000 && !text.ends_with("\n"); ++i) {
    text = read_text(path);
    if (!text.ends_with("\n")) ::usleep(1000);
  }
  REQUIRE(text.ends_with("\n"));
  text.pop_back();
  return text;
}

// A job that leaves a process behind, as `leave` does it, and tells its pid and the shim's.
std::string job_that_leaves(const std::string& leave, const std::string& dir) {
  return "export OUT=" + dir + "/left.$TASKD_ATTEMPT; " + leave + "\necho $PPID > " + dir +
         "/shim.$TASKD_ATTEMPT; while :; do sleep 600; done";
}

}  // namespace

TEST_CASE("nothing of a lost attempt is alive beside the next one, however it hides") {
  const std::string stay = "'echo $$ > $1.new; mv $1.new $1; exec sleep 77' sh $OUT";
  struct Case {
    std::string leave;
    bool found_by_next_daemon;
  };
  for (const Case& c : std::vector<Case>{
           {"env -i sh -c " + stay + " &", true},
           {"(env -i sh -c " + stay + " &)", true},
           // Out of the session, with neither parents nor an environment: by its ancestors alone.
           {"setsid env -i sh -c " + stay + " &", false},
           {"(setsid env -i sh -c " + stay + " &)", false},
       }) {
    for (const bool daemon_lives : {true, false}) {
      if (!daemon_lives && !c.found_by_next_daemon) continue;
      CAPTURE(c.leave);
      CAPTURE(daemon_lives);
      TestDaemon daemon;
      const std::string dir = daemon.dir().path();
      const std::string bystander = daemon.submit({"--shell", "exec sleep 600"});
      const std::string id = daemon.submit({"--shell", job_that_leaves(c.leave, dir)});
      const std::string left = read_line(dir + "/left.1");
      const std::string shim = read_line(dir + "/shim.1");
      REQUIRE(is_alive(left));
      if (!daemon_lives) daemon.kill9();
      REQUIRE(::kill(std::stoi(shim), SIGKILL) == 0);
      if (!daemon_lives) daemon.start();
      wait_for_file(dir + "/shim.2");
      CHECK_FALSE(is_alive(left));
      CHECK(daemon.state(bystander) == "running");
      CHECK(daemon.show(bystander).at("attempt") == 1);
      CHECK(daemon.show(id).at("lost") == 1);
    }
  }
}

TEST_CASE("a fork server that stopped answering is replaced, and nothing hangs on it") {
  TestDaemon daemon({.workers = 2});
  const std::string early = daemon.submit({"--shell", "exec sleep 600"});
  while (daemon.state(early) != "running") ::usleep(1000);
  const pid_t server = fork_server_of(daemon);
  REQUIRE(::kill(server, SIGSTOP) == 0);
  const std::string id = daemon.submit({"--", "true"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.show(id).at("lost") == 0);
  CHECK_FALSE(is_alive(std::to_string(server)));
  CHECK(daemon.state(early) == "running");
}

TEST_CASE("a cancel and a stop take effect while the fork server does not answer") {
  TestDaemon daemon({.workers = 1});
  daemon.wait(daemon.submit({"--", "true"}));
  REQUIRE(::kill(fork_server_of(daemon), SIGSTOP) == 0);
  const std::string id = daemon.submit({"--shell", "exec sleep 600"});
  CHECK(daemon.ctl({"cancel", id}).exit_code == 0);
  CHECK(daemon.wait(id).at("state") == "cancelled");
  REQUIRE(::kill(fork_server_of(daemon), SIGSTOP) == 0);
  daemon.submit({"--shell", "exec sleep 600"});
  CHECK(daemon.stop().exit_code == 0);
  daemon.start();
}

TEST_CASE("an answer of the fork server that is lost for want of memory starts nothing twice") {
  if (run({"sh", "-c", "command -v strace"}).exit_code != 0) return;
  TestDaemon daemon({.workers = 1});
  daemon.wait(daemon.submit({"--", "true"}));
  const std::string log = daemon.dir() / "strace";
  RunOptions options;
  options.output_file = log;
  Child strace({"strace", "-p", std::to_string(fork_server_of(daemon)), "-e",
                "inject=sendmsg:error=ENOMEM:when=1"},
               options);
  while (!contains(read_text(log), "attached") && !strace.ended_within(10)) {
  }
  if (!contains(read_text(log), "attached")) return;  // nobody may trace here
  const std::string ran = daemon.dir() / "ran";
  const std::string id = daemon.submit({"--shell", "echo $TASKD_ATTEMPT >> " + ran});
  const auto task = daemon.wait(id);
  CHECK(task.at("state") == "succeeded");
  CHECK(task.at("attempt") == 1);
  CHECK(read_text(ran) == "1\n");
}

TEST_CASE("a supervisor that is stopped obeys a cancel and a time limit all the same") {
  for (const bool cancel : {true, false}) {
    CAPTURE(cancel);
    const TestDaemon daemon({.workers = 1});
    const std::string file = daemon.dir() / "shim";
    std::vector<std::string> args = {"--shell", "echo $PPID > " + file + "; exec sleep 600"};
    if (!cancel) args.insert(args.begin(), {"--progress-timeout", "1s"});
    const std::string id = daemon.submit(args);
    REQUIRE(::kill(std::stoi(read_line(file)), SIGSTOP) == 0);
    if (cancel) CHECK(daemon.ctl({"cancel", id}).exit_code == 0);
    CHECK(daemon.wait(id).at("outcome") == (cancel ? "cancelled" : "timed_out"));
  }
}

TEST_CASE("jobs get the limits and signals that the daemon was given, not its own") {
  rlimit given{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &given) == 0);
  const rlimit low{700, given.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  const TestDaemon daemon;
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &given) == 0);
  const std::string own = read_text("/proc/" + std::to_string(daemon.pid()) + "/limits");
  REQUIRE_FALSE(contains(own, "700"));
  const std::string id = daemon.submit(
      {"--shell",
       "ulimit -Sn; ulimit -Hn; nice; cat /proc/$$/timerslack_ns /proc/$$/oom_score_adj; "
       "grep SigBlk /proc/self/status; sed -n 's/SigIgn://p' /proc/self/status >&2"});
  daemon.wait(id);
  const std::string own_ones =
      run({"sh", "-c", "ulimit -Hn; nice; cat /proc/$$/timerslack_ns /proc/$$/oom_score_adj"}).out;
  const RunResult logs = daemon.ctl({"logs", id});
  CHECK(logs.out == "700\n" + own_ones + "SigBlk:\t0000000000000000\n");
  // The two above 31 are the C library's own.
  CHECK((std::stoull(logs.err, nullptr, 16) & 0x7fffffff) == 0);
}

// The pid of a job's supervisor, once the job has told it; `id` runs until it is stopped.
struct Supervised {
  std::string id;
  std::string shim;
};

Supervised submit_supervised(const TestDaemon& daemon, const std::string& name,
                             std::vector<std::string> flags = {}) {
  const std::string file = daemon.dir() / name;
  flags.insert(flags.end(),
               {"--shell", "echo $PPID > " + file + ".$TASKD_ATTEMPT; exec sleep 600"});
  const std::string id = daemon.submit(flags);
  return {id, read_line(file + ".1")};
}

TEST_CASE("a stop of the supervisors from outside counts as no loss, a kill does") {
  for (const bool daemon_lives : {true, false}) {
    CAPTURE(daemon_lives);
    TestDaemon daemon({.workers = 4});
    const Supervised stopped = submit_supervised(daemon, "stopped", {"--max-lost", "0"});
    const Supervised stubborn =
        submit_supervised(daemon, "stubborn", {"--max-lost", "0", "--grace", "0"});
    const Supervised once = submit_supervised(daemon, "once", {"--on-lost", "fail"});
    const Supervised killed = submit_supervised(daemon, "killed", {"--max-lost", "1"});
    if (!daemon_lives) daemon.kill9();
    for (const Supervised* task : {&stopped, &stubborn, &once}) {
      REQUIRE(::kill(std::stoi(task->shim), SIGTERM) == 0);
    }
    // As a shutdown does with what takes too long.
    REQUIRE(::kill(std::stoi(killed.shim), SIGKILL) == 0);
    if (!daemon_lives) daemon.start();
    read_line(daemon.dir() / "stopped.2");
    read_line(daemon.dir() / "stubborn.2");
    read_line(daemon.dir() / "killed.2");
    CHECK(daemon.show(stopped.id).at("lost") == 0);
    CHECK(daemon.show(stubborn.id).at("lost") == 0);
    CHECK(daemon.show(killed.id).at("lost") == 1);
    CHECK(daemon.wait(once.id).at("reason") == "lost");
    const auto first = daemon.show(stopped.id).at("attempts").at(0);
    CHECK(first.at("outcome") == "cancelled");
    CHECK(contains(first.at("error"),
                   "was told to stop (SIGTERM from process " + std::to_string(::getpid())));
  }
}

TEST_CASE("a planned stop that ends in a kill is a planned stop") {
  TestDaemon daemon;
  const std::string file = daemon.dir() / "shim";
  const std::string id = daemon.submit(
      {"--max-lost", "0", "--grace", "1h", "--shell",
       "trap '' TERM; echo $PPID > " + file + ".$TASKD_ATTEMPT; while :; do sleep 600; done"});
  const std::string shim = read_line(file + ".1");
  REQUIRE(::kill(std::stoi(shim), SIGTERM) == 0);
  const std::string lock = daemon.state_dir() + "/attempts/" +
                           std::to_string(std::stol(id) / 1000) + "/" + id + ".1/lock";
  while (!contains(read_text(lock), "planned_stop")) ::usleep(1000);
  REQUIRE(::kill(std::stoi(shim), SIGKILL) == 0);
  read_line(file + ".2");
  CHECK(daemon.show(id).at("lost") == 0);
  CHECK(daemon.show(id).at("attempts").at(0).at("outcome") == "lost");
}

TEST_CASE("a command that ends its own supervisor is named as such, and not run for ever") {
  const TestDaemon daemon;
  struct Case {
    std::string kill;
    std::string says;
  };
  for (const Case& c : std::vector<Case>{
           {"kill $PPID", "stopped its own supervisor"},
           {"sh -c 'kill '$PPID", "supervisor, taskd-shim"},
           {"(setsid sh -c 'kill '$PPID) & wait", "supervisor, taskd-shim"},
           {"kill -9 $PPID", "supervisor, taskd-shim, was killed"},
       }) {
    CAPTURE(c.kill);
    const std::string id = daemon.submit({"--shell", c.kill + "; sleep 600"});
    const auto task = daemon.wait(id);
    CHECK(task.at("reason") == "poison");
    CHECK(task.at("attempts").size() == 4);
    CHECK(contains(task.at("error"), c.says));
    CHECK(contains(daemon.ctl({"show", id}).out, c.says));
    const std::string why = daemon.ctl({"why", id}).out;
    CHECK(contains(why, c.says));
    CHECK(contains(why, "$PPID"));
  }
  const std::string doctor = daemon.ctl({"doctor"}).out;
  CHECK(contains(doctor, "warn  poison"));
  CHECK(contains(doctor, "and 3 tasks more"));
}
