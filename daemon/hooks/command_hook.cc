#include "daemon/hooks/command_hook.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>

#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/base/unique_fd.h"
#include "daemon/hooks/poll_deadline.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxSaidBytes = 2048;  // the end of stderr

// A file in memory that contains the document, positioned at its start: unlike a pipe, nobody has
// to feed it.
UniqueFd document_file(const std::string& document) {
  UniqueFd file(::memfd_create("taskd-hook", MFD_CLOEXEC));
  if (!file) throw_errno("memfd_create");
  for (std::size_t done = 0; done < document.size();) {
    const ssize_t n = ::write(file.get(), document.data() + done, document.size() - done);
    if (n < 0 && errno != EINTR) throw_errno("write a hook's document");
    if (n > 0) done += static_cast<std::size_t>(n);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) throw_errno("seek in a hook's document");
  return file;
}

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("pipe2");
  Pipe pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
  // Only our end: the command's stderr must block as usual.
  if (::fcntl(fds[0], F_SETFL, O_NONBLOCK) != 0) throw_errno("fcntl");
  return pipe;
}

std::vector<std::string> small_environment(const std::vector<std::string>& extra) {
  std::vector<std::string> environment = extra;
  environment.emplace_back("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  for (const char* name : {"HOME", "LANG", "TZ"}) {
    if (const char* value = std::getenv(name)) {
      environment.push_back(std::string(name) + "=" + value);
    }
  }
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

void check(int error, const char* what) {
  if (error == 0) return;
  errno = error;
  throw_errno(what);
}

class SpawnActions {
 public:
  SpawnActions(int in, int err) {
    check(::posix_spawn_file_actions_init(&actions_), "posix_spawn_file_actions_init");
    check(::posix_spawn_file_actions_adddup2(&actions_, in, STDIN_FILENO), "adddup2");
    check(::posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0),
          "addopen");
    check(::posix_spawn_file_actions_adddup2(&actions_, err, STDERR_FILENO), "adddup2");
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1), "addclosefrom");
    check(::posix_spawn_file_actions_addchdir_np(&actions_, "/"), "addchdir");
  }
  ~SpawnActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  SpawnActions(const SpawnActions&) = delete;
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_{};
};

// A new session; no signal blocked, ignored or handled.
class SpawnAttributes {
 public:
  SpawnAttributes() {
    check(::posix_spawnattr_init(&attributes_), "posix_spawnattr_init");
    sigset_t none;
    sigset_t all;
    ::sigemptyset(&none);
    ::sigfillset(&all);
    check(::posix_spawnattr_setsigmask(&attributes_, &none), "setsigmask");
    check(::posix_spawnattr_setsigdefault(&attributes_, &all), "setsigdefault");
    check(::posix_spawnattr_setflags(
              &attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF),
          "setflags");
  }
  ~SpawnAttributes() { ::posix_spawnattr_destroy(&attributes_); }
  SpawnAttributes(const SpawnAttributes&) = delete;
  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_{};
};

// As inherited by this process: read before main() raises the limit for the daemon itself.
const rlimit given_open_files = [] {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);  // cannot fail with these arguments
  return limit;
}();

// A started command. If it was not reaped, the destructor kills its group.
class HookProcess {
 public:
  HookProcess(std::vector<std::string> argv, std::vector<std::string> environment, int in,
              int err) {
    const SpawnActions actions(in, err);
    const SpawnAttributes attributes;
    check(::posix_spawn(&pid_, argv[0].c_str(), actions.get(), attributes.get(),
                        pointers_to(argv).data(), pointers_to(environment).data()),
          argv[0].c_str());
    pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
    const int error = errno;
    if (!pidfd_) kill();
    if (!pidfd_) errno = error;
    if (!pidfd_) throw_errno("pidfd_open");
    unshield();
  }
  ~HookProcess() {
    if (pid_ > 0) kill();
  }
  HookProcess(const HookProcess&) = delete;

  int pidfd() const { return pidfd_.get(); }

  // It stays a zombie until reaped.
  bool has_ended() const {
    siginfo_t info{};
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid != 0;
  }
  void kill() {
    ::kill(-pid_, SIGKILL);
    reap();
  }
  // Blocks until it has ended. Returns the wait status.
  int reap() {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    pid_ = -1;
    return status;
  }

 private:
  // The daemon may be protected from the OOM killer and may open many files; its hooks must not
  // inherit that.
  void unshield() const {
    const std::string path = "/proc/" + std::to_string(pid_) + "/oom_score_adj";
    const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (file) [[maybe_unused]]
      const ssize_t n = ::write(file.get(), "0", 1);
    // Fails only if it has ended already.
    ::prlimit(pid_, RLIMIT_NOFILE, &given_open_files, nullptr);
  }

  pid_t pid_ = -1;
  UniqueFd pidfd_;
};

// Keeps the end of the stream. Returns false when it is complete.
bool read_said(int fd, std::string& said) {
  char buffer[4096];
  for (;;) {
    const ssize_t n = ::read(fd, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 && errno == EAGAIN;
    said.append(buffer, static_cast<std::size_t>(n));
    if (said.size() > kMaxSaidBytes) said.erase(0, said.size() - kMaxSaidBytes);
  }
}

void judge(int status, SendResult& result) {
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  const bool down = WIFEXITED(status) && WEXITSTATUS(status) == EX_TEMPFAIL;
  result.outcome = down ? SendOutcome::down : SendOutcome::refused;
  result.error = WIFEXITED(status) ? "exit code " + std::to_string(WEXITSTATUS(status))
                                   : "killed by signal " + std::to_string(WTERMSIG(status));
}

SendResult run(const Hook& hook, const std::string& document, const std::vector<std::string>& extra,
               int stop_fd) {
  using Wait = HookDeadline::Wait;
  const HookDeadline deadline(hook.timeout_ms, stop_fd);
  const UniqueFd in = document_file(document);
  Pipe err = make_pipe();
  HookProcess process(hook.command, small_environment(extra), in.get(), err.write_end.get());
  err.write_end.reset();
  SendResult result;
  // Does not wait for other processes that keep its stderr open after it has ended.
  while (!process.has_ended()) {
    const Wait wait = deadline.wait_for(process.pidfd(), POLLIN, err.read_end.get());
    if (err.read_end && !read_said(err.read_end.get(), result.said)) err.read_end.reset();
    if (wait == Wait::ready) continue;
    process.kill();
    result.outcome = wait == Wait::stopped ? SendOutcome::interrupted : SendOutcome::down;
    result.error =
        wait == Wait::stopped
            ? "the daemon stopped"
            : "it took longer than " + format_duration_ms(hook.timeout_ms) + " and was killed";
    return result;
  }
  if (err.read_end) read_said(err.read_end.get(), result.said);
  judge(process.reap(), result);
  return result;
}

}  // namespace

SendResult run_hook_command(const Hook& hook, const std::string& document,
                            const std::vector<std::string>& extra, int stop_fd) noexcept {
  try {
    return run(hook, document, extra, stop_fd);
  } catch (const std::exception& e) {
    return {SendOutcome::down, std::string("cannot be started: ") + e.what(), ""};
  }
}

}  // namespace taskd
