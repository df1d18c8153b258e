#include "daemon/hooks/command_hook.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "daemon/base/event_fd.h"
#include "tests/support/temp_dir.h"

using namespace taskd;

namespace {

struct CommandFixture {
  SendResult run(const std::string& script, std::int64_t timeout_ms = 60'000) {
    Hook hook;
    hook.name = "hook";
    hook.command = {"/bin/sh", "-c", script, "sh", "two words"};
    hook.timeout_ms = timeout_ms;
    return run_hook_command(hook, document, {"TASKD_EVENT=failed", "TASKD_TASK_ID=7"}, stop.get());
  }
  std::string file(const std::string& name) const { return folder / name; }
  std::string text(const std::string& name) const {
    std::ifstream stream(file(name));
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  test::TempDir folder;
  std::string document = "{\"version\":1}\n";
  EventFd stop;
};

// Whether the process is gone, or is about to be reaped by init.
bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  std::getline(stat, line);
  return line.empty() || line.find(") Z ") != line.npos;
}

}  // namespace

TEST_CASE("a command gets the document on stdin, its arguments and a small environment") {
  CommandFixture f;
  f.document = std::string(1'000'000, 'x');
  ::setenv("TASKD_TEST_SECRET", "hidden", 1);
  const SendResult result =
      f.run("cat > " + f.file("in") + "; echo \"$1|$TASKD_EVENT|$TASKD_TASK_ID|$PWD|$PATH\" > " +
            f.file("out") + "; env > " + f.file("env"));
  CHECK(result.outcome == SendOutcome::delivered);
  CHECK(f.text("in") == f.document);
  CHECK(f.text("out") ==
        "two words|failed|7|/|/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n");
  CHECK(f.text("env").find("hidden") == std::string::npos);
}

TEST_CASE("a command has a session of its own, default signals and no descriptors of ours") {
  CommandFixture f;
  const UniqueFd inherited(::dup(1));  // without CLOEXEC
  ::signal(SIGPIPE, SIG_IGN);
  const SendResult result =
      f.run("ps -o sid= -p $$ | tr -d ' ' > " + f.file("sid") + "; echo $$ > " + f.file("pid") +
            "; ls /proc/self/fd > " + f.file("fds") +
            "; grep -E 'SigBlk|SigIgn' /proc/self/status > " + f.file("signals"));
  ::signal(SIGPIPE, SIG_DFL);
  CHECK(result.outcome == SendOutcome::delivered);
  CHECK(f.text("sid") == f.text("pid"));
  CHECK(f.text("fds") == "0\n1\n2\n3\n");  // the last is ls's own
  CHECK(f.text("signals").find("SigBlk:\t0000000000000000") != std::string::npos);
  const std::string ignored = f.text("signals").substr(f.text("signals").find("SigIgn:"));
  CHECK((std::stoull(ignored.substr(8), nullptr, 16) & (1ULL << (SIGPIPE - 1))) == 0);
}

TEST_CASE("a command gets the limit of open files that the daemon was given") {
  CommandFixture f;
  rlimit given{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &given) == 0);
  const rlimit other{given.rlim_cur - 1, given.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &other) == 0);
  // The limit comes just after the start.
  const SendResult result =
      f.run("for i in $(seq 1000); do test $(ulimit -Sn) = " + std::to_string(given.rlim_cur) +
            " && exit 0; done; exit 1");
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &given) == 0);
  CHECK(result.outcome == SendOutcome::delivered);
}

TEST_CASE("a command that fails is refused, with its exit code and its last words") {
  CommandFixture f;
  const SendResult result =
      f.run("echo out; head -c 100000 /dev/zero | tr '\\0' x >&2; echo bye >&2; exit 3");
  CHECK(result.outcome == SendOutcome::refused);
  CHECK(result.error == "exit code 3");
  CHECK(result.said.ends_with("xxxbye\n"));
  CHECK(result.said.size() == 2048);
  CHECK(f.run("kill -9 $$").error == "killed by signal 9");
  CHECK(f.run("kill -9 $$").outcome == SendOutcome::refused);
}

TEST_CASE("a command that ends with 75 says that it can take nothing now") {
  CommandFixture f;
  const SendResult result = f.run("exit 75");
  CHECK(result.outcome == SendOutcome::down);
  CHECK(result.error == "exit code 75");
}

TEST_CASE("a command that is not there counts as down") {
  Hook hook;
  hook.command = {"/nonexistent/notify"};
  const EventFd stop;
  const SendResult result = run_hook_command(hook, "", {}, stop.get());
  CHECK(result.outcome == SendOutcome::down);
  CHECK(result.error == "cannot be started: /nonexistent/notify: No such file or directory");
}

TEST_CASE("at its timeout a command is killed with its group, however it holds on") {
  CommandFixture f;
  const SendResult result = f.run(
      "trap '' TERM HUP INT; sleep 1000 & echo $! > " + f.file("child") + "; wait; sleep 1000",
      300);
  CHECK(result.outcome == SendOutcome::down);
  CHECK(result.error == "it took longer than 300ms and was killed");
  const auto child = static_cast<pid_t>(std::stoi(f.text("child")));
  for (int i = 0; i < 1000 && !is_gone(child); ++i) std::this_thread::yield();
  CHECK(is_gone(child));
}

TEST_CASE("a command that leaves its stderr open to a child is over when it ends") {
  CommandFixture f;
  const SendResult result = f.run("sleep 1000 & echo $! > " + f.file("child"));
  CHECK(result.outcome == SendOutcome::delivered);
  ::kill(static_cast<pid_t>(std::stoi(f.text("child"))), SIGKILL);
}

TEST_CASE("a command is cut off when the daemon stops") {
  CommandFixture f;
  std::thread stopper([&] {
    while (f.text("pid").empty()) std::this_thread::yield();
    f.stop.raise();
  });
  const SendResult result = f.run("echo $$ > " + f.file("pid") + "; exec sleep 1000");
  stopper.join();
  CHECK(result.outcome == SendOutcome::interrupted);
  CHECK(is_gone(static_cast<pid_t>(std::stoi(f.text("pid")))));
}
