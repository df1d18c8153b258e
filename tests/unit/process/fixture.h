// Real attempts under the real taskd-shim, in a folder of their own. Every wait is for an event and
// bounded.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "daemon/base/digest.h"
#include "daemon/base/files.h"
#include "daemon/base/random.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/attempt_folder.h"
#include "daemon/process/leftovers.h"
#include "daemon/process/output.h"
#include "daemon/process/posix_launcher.h"
#include "tests/support/temp_dir.h"

namespace taskd {

inline constexpr int kTimeoutMs = 60'000;
inline constexpr std::uint32_t kNobody = 65534;

inline bool is_root() {
  return ::geteuid() == 0;
}

inline std::size_t open_fds(const std::string& pid = "self") {
  const std::filesystem::directory_iterator all("/proc/" + pid + "/fd");
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

inline std::string parent_of(const std::string& pid) {
  const std::string stat = read_file("/proc/" + pid + "/stat", 4096).value();
  const std::size_t after_state = stat.rfind(')') + 4;
  return stat.substr(after_state, stat.find(' ', after_state) - after_state);
}

inline void wait_readable(int fd) {
  pollfd slot{fd, POLLIN, 0};
  REQUIRE(::poll(&slot, 1, kTimeoutMs) == 1);
}

// A named pipe through which a job tells the test something, line by line.
class Fifo {
 public:
  explicit Fifo(std::string path) : path_(std::move(path)) {
    REQUIRE(::mkfifo(path_.c_str(), 0666) == 0);
    REQUIRE(::chmod(path_.c_str(), 0666) == 0);
    fd_.reset(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
    REQUIRE(fd_);
  }
  const std::string& path() const { return path_; }
  std::string read_line() {
    std::string line;
    for (;;) {
      wait_readable(fd_.get());
      char c = 0;
      REQUIRE(::read(fd_.get(), &c, 1) == 1);
      if (c == '\n') return line;
      line += c;
    }
  }
  void write_line(const std::string& line) {
    const std::string text = line + "\n";
    REQUIRE(::write(fd_.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }

 private:
  std::string path_;
  UniqueFd fd_;
};

// A process by its identity, not its number.
class Witness {
 public:
  explicit Witness(const std::string& pid)
      : pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, std::stoi(pid), 0))) {
    REQUIRE((pidfd_ || errno == ESRCH));
  }
  bool is_dead() const {
    if (!pidfd_) return true;  // it was gone before anybody could look
    pollfd slot{pidfd_.get(), POLLIN, 0};
    return ::poll(&slot, 1, 0) == 1;
  }
  void wait_for_death() const {
    if (pidfd_) wait_readable(pidfd_.get());
  }
  void kill() const { ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0); }

 private:
  UniqueFd pidfd_;
};

struct Fixture {
  test::TempDir dir{std::filesystem::temp_directory_path(), 0755};
  std::string boot_id = read_boot_id();
  PosixLauncherConfig config{.attempts_dir = dir.path() + "/attempts",
                             .jobs_dir = dir.path() + "/jobs",
                             .shim_path = TASKD_BINARY_DIR "/taskd-shim",
                             .boot_id = boot_id,
                             .socket = "/run/taskctl.sock",
                             .output_cap_bytes = 64 << 20,
                             .cgroup_root = ""};

  Fixture() {
    std::signal(SIGPIPE, SIG_IGN);
    // Shims whose fork server is gone come back to the test.
    REQUIRE(::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
  }
  // After a failed check no process stays behind; and no zombie of one test meets the next.
  ~Fixture() {
    for (const auto& [shim, token] : started_) {
      if (shim.is_dead()) continue;
      shim.kill();
      kill_leftovers({.token = token}, nullptr);
    }
    stop_daemon();
    while (::waitpid(-1, nullptr, WNOHANG) > 0) {
    }
  }
  Fixture(const Fixture&) = delete;
  Fixture& operator=(const Fixture&) = delete;

  static Launch shell(const std::string& text) {
    Launch launch;
    launch.task = 1;
    launch.attempt = 1;
    launch.secret = random_token();
    launch.token = token_of(launch.secret);
    launch.uid = ::geteuid();
    launch.spec.shell = text;
    launch.spec.cwd = "/";
    return launch;
  }
  static Launch argv(std::vector<std::string> words) {
    Launch launch = shell("");
    launch.spec.argv = std::move(words);
    return launch;
  }

  // The test's own daemon, so to speak. It takes `config` as it is at the first use.
  PosixLauncher& launcher() const {
    if (!launcher_) launcher_ = std::make_unique<PosixLauncher>(config);
    return *launcher_;
  }
  void stop_daemon() const { launcher_.reset(); }

  // Starts what must be startable.
  std::unique_ptr<LiveAttempt> start(const Launch& launch) const {
    auto result = launcher().launch(launch);
    if (const auto* end = std::get_if<AttemptEnd>(&result)) FAIL(end->outcome.detail);
    started_.emplace_back(Witness(shim_pid(launch)), launch.token);
    return std::move(std::get<std::unique_ptr<LiveAttempt>>(result));
  }
  static AttemptEnd finish(LiveAttempt& live) {
    wait_readable(live.pidfd());
    return live.reap();
  }
  AttemptEnd run(const Launch& launch) const { return finish(*start(launch)); }

  // What a start that must fail says.
  AttemptEnd refused(const Launch& launch) const {
    auto result = launcher().launch(launch);
    REQUIRE(std::holds_alternative<AttemptEnd>(result));
    return std::get<AttemptEnd>(result);
  }

  // What a new daemon makes of the attempt.
  AttemptEnd recover(const Launch& launch, const std::string& boot) const {
    PosixLauncher next(config);
    auto result = next.recover(launch, boot);
    if (auto* live = std::get_if<std::unique_ptr<LiveAttempt>>(&result)) return finish(**live);
    return std::get<AttemptEnd>(result);
  }
  AttemptEnd recover(const Launch& launch) const { return recover(launch, boot_id); }
  bool is_adopted(const Launch& launch) const {
    PosixLauncher next(config);
    return std::holds_alternative<std::unique_ptr<LiveAttempt>>(next.recover(launch, boot_id));
  }

  std::string folder(const Launch& launch) const {
    return attempt_dir(config.attempts_dir, launch.task, launch.attempt);
  }
  std::string out(const Launch& launch, Stream stream = Stream::out) const {
    return read_output(folder(launch), stream, 0, 64 << 20).bytes;
  }
  std::string shim_pid(const Launch& launch) const {
    const UniqueFd fd(::open(folder(launch).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    return std::to_string(read_lock_record(fd.get()).shim);
  }

  void wait_for_output(const Launch& launch, const std::string& text) const {
    const UniqueFd watch(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK));
    REQUIRE(::inotify_add_watch(watch.get(), folder(launch).c_str(), IN_MODIFY | IN_CREATE) >= 0);
    while (out(launch).find(text) == std::string::npos) {
      wait_readable(watch.get());
      char events[4096];
      [[maybe_unused]] const ssize_t n = ::read(watch.get(), events, sizeof events);
    }
  }

  Fifo fifo(const std::string& name) const { return Fifo(dir.path() + "/" + name); }

 private:
  mutable std::unique_ptr<PosixLauncher> launcher_;
  mutable std::vector<std::pair<Witness, std::string>> started_;
};

// Runs `body` in a process of its own, which then stays until it is killed: a daemon that dies.
class Helper {
 public:
  explicit Helper(const std::function<bool()>& body) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    const UniqueFd done(ends[0]);
    UniqueFd tell(ends[1]);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      bool ok = false;
      try {
        ok = body();
      } catch (...) {
      }
      if (!ok || ::write(tell.get(), "+", 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    tell.reset();
    char c = 0;
    wait_readable(done.get());
    const bool came_through = ::read(done.get(), &c, 1) == 1;
    if (!came_through) kill();
    REQUIRE(came_through);
  }
  ~Helper() { kill(); }
  Helper(const Helper&) = delete;
  Helper& operator=(const Helper&) = delete;

  void kill() {
    if (pid_ < 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
};

}  // namespace taskd
