// Where shims come from: the fork server's life, and what its death does.

#include <algorithm>
#include <atomic>
#include <thread>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

std::string command_line(const std::string& pid) {
  std::string text = read_file("/proc/" + pid + "/cmdline", 4096).value();
  while (!text.empty() && text.back() == '\0') text.pop_back();
  return text;
}

std::vector<std::string> children_of(const std::string& pid) {
  std::vector<std::string> children;
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    const std::string name = entry.path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    try {
      if (parent_of(name) == pid) children.push_back(name);
    } catch (const std::exception&) {  // gone meanwhile
    }
  }
  return children;
}

// In this order: a shim takes its label before its session, until which it looks like the server.
bool is_server(const std::string& pid) {
  try {
    return ::getsid(std::stoi(pid)) == std::stoi(pid) &&
           command_line(pid).find("fork-server") != std::string::npos;
  } catch (const std::exception&) {  // gone meanwhile
    return false;
  }
}

struct ForkServerFixture : Fixture {
  Fifo go = fifo("go");

  // A job that goes on until it is told to, and then exits with 5.
  Launch patient(TaskId task) const {
    Launch launch = shell("read x < " + go.path() + "; exit 5");
    launch.task = task;
    return launch;
  }
  std::string server_of(const Launch& launch) const { return parent_of(shim_pid(launch)); }
};

TEST_CASE_FIXTURE(ForkServerFixture, "a shim carries its attempt's name and has its own session") {
  Fifo told = fifo("told");
  Launch launch = shell("echo > " + told.path() + "; read x < " + go.path() + "; exit 5");
  launch.task = 12345;
  const auto live = start(launch);
  told.read_line();
  const pid_t shim = std::stoi(shim_pid(launch));
  CHECK(command_line(shim_pid(launch)) == std::string("taskd-shim\0", 11) + "12345.1");
  CHECK(::getsid(shim) == shim);
  const pid_t server = std::stoi(server_of(launch));
  CHECK(::getsid(server) == server);
  CHECK(parent_of(server_of(launch)) == std::to_string(::getpid()));
  go.write_line("now");
  CHECK(finish(*live).outcome.code == 5);
}

TEST_CASE_FIXTURE(ForkServerFixture,
                  "all shims come from one server that no signal but KILL ends") {
  const Launch first = patient(1);
  const auto first_live = start(first);
  const pid_t server = std::stoi(server_of(first));
  for (const int signal : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGCHLD}) {
    CHECK(::kill(server, signal) == 0);
  }
  const Launch second = patient(2);
  const auto second_live = start(second);
  CHECK(server_of(second) == std::to_string(server));
  first_live->stop();
  second_live->stop();
  CHECK(finish(*first_live).outcome.kind == OutcomeKind::cancelled);
  CHECK(finish(*second_live).outcome.kind == OutcomeKind::cancelled);
}

TEST_CASE_FIXTURE(ForkServerFixture, "a killed server is replaced and running attempts go on") {
  const Launch before = patient(1);
  const auto live = start(before);
  const Witness server(server_of(before));
  server.kill();
  server.wait_for_death();

  Launch after = shell("exit 7");
  after.task = 2;
  CHECK(run(after).outcome == Outcome{OutcomeKind::exited, 7, ""});
  go.write_line("now");
  CHECK(finish(*live).outcome == Outcome{OutcomeKind::exited, 5, ""});
}

TEST_CASE_FIXTURE(ForkServerFixture,
                  "a server that is killed again and again starts nothing twice") {
  const std::string ran = dir.path() + "/ran";
  std::atomic<bool> done = false;
  std::thread killer([&] {
    while (!done) {
      for (const std::string& child : children_of(std::to_string(::getpid()))) {
        const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(child), 0)));
        if (!pidfd || !is_server(child)) continue;
        ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
      }
    }
  });
  std::size_t good = 0;
  for (int i = 1; i <= 300; ++i) {
    Launch launch = shell("echo $TASKD_TASK_ID >> " + ran);
    launch.task = i;
    auto result = launcher().launch(launch);
    if (auto* live = std::get_if<std::unique_ptr<LiveAttempt>>(&result)) {
      CHECK(finish(**live).outcome == Outcome{OutcomeKind::exited, 0, ""});
      ++good;
    } else {
      CHECK(std::get<AttemptEnd>(result).outcome.kind == OutcomeKind::not_started);
      // Nothing is left that could still start, nor anything in the way of the next try.
      CHECK_FALSE(std::filesystem::exists(folder(launch)));
    }
    launcher().cleanup_attempt(i, 1);
  }
  done = true;
  killer.join();
  const std::string lines = read_file(ran, 1 << 20).value_or("");
  CHECK(static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) == good);
  CHECK(run(shell("exit 3")).outcome.code == 3);
}

TEST_CASE_FIXTURE(ForkServerFixture, "a program that is no fork server starts nothing") {
  config.shim_path = "/bin/true";
  const Launch launch = shell("true");
  const AttemptEnd end = refused(launch);
  CHECK(end.outcome.kind == OutcomeKind::not_started);
  CHECK(end.outcome.code == ECONNRESET);
  CHECK_FALSE(std::filesystem::exists(folder(launch)));
}

TEST_CASE_FIXTURE(ForkServerFixture,
                  "when the daemon is killed its server ends and its shims go on") {
  const Launch launch = patient(1);
  Helper daemon([&] {
    auto result = launcher().launch(launch);
    if (!std::holds_alternative<std::unique_ptr<LiveAttempt>>(result)) return false;
    static_cast<void>(std::get<0>(result).release());  // never destroyed: the process dies with it
    return true;
  });
  const Witness shim(shim_pid(launch));
  const Witness server(server_of(launch));
  daemon.kill();
  server.wait_for_death();
  CHECK_FALSE(shim.is_dead());
  REQUIRE(is_adopted(launch));
  go.write_line("now");
  CHECK(recover(launch).outcome == Outcome{OutcomeKind::exited, 5, ""});
}

TEST_CASE_FIXTURE(ForkServerFixture,
                  "many launches at once leave no zombie and no descriptor behind") {
  const Launch kept = patient(100'000);
  const std::size_t fds_before = open_fds();
  const auto kept_live = start(kept);
  const std::string server = server_of(kept);
  std::vector<std::thread> workers;
  std::atomic<int> good = 0;
  for (int worker = 0; worker < 4; ++worker) {
    workers.emplace_back([&, worker] {
      for (int i = 0; i < 50; ++i) {
        Launch launch = shell("exit 7");
        launch.task = 1000 * worker + i + 1;
        auto result = launcher().launch(launch);
        auto* live = std::get_if<std::unique_ptr<LiveAttempt>>(&result);
        if (live == nullptr) continue;
        pollfd slot{(*live)->pidfd(), POLLIN, 0};
        ::poll(&slot, 1, kTimeoutMs);
        if ((*live)->reap().outcome == Outcome{OutcomeKind::exited, 7, ""}) ++good;
        launcher().cleanup_attempt(launch.task, launch.attempt);
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  CHECK(good == 200);
  CHECK(open_fds(server) <= 4);  // three, and for a moment the last shim's pidfd
  CHECK(children_of(server) == std::vector{shim_pid(kept)});

  go.write_line("now");
  CHECK(finish(*kept_live).outcome.code == 5);
  stop_daemon();
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);
  CHECK(errno == ECHILD);
  // The kept attempt's folder, pidfd and gate, and the test's own watch of its shim.
  CHECK(open_fds() == fds_before + 4);
}

}  // namespace
}  // namespace taskd
