#include "tests/support/process.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "daemon/base/errors.h"

extern char** environ;

namespace taskd::test {
namespace {

constexpr int kTimeoutMs = 60'000;  // a limit for a hung test, not a delay

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

Pipe make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC) != 0) throw_errno("pipe2");
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

std::vector<std::string> merged_environment(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> merged;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    if (!extra.contains(text.substr(0, text.find('=')))) merged.push_back(text);
  }
  for (const auto& [name, value] : extra) merged.push_back(name + "=" + value);
  return merged;
}

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> result;
  for (const std::string& text : texts) result.push_back(const_cast<char*>(text.c_str()));
  result.push_back(nullptr);
  return result;
}

bool append_available(int& fd, std::string& to) {
  char buffer[16384];
  const ssize_t n = ::read(fd, buffer, sizeof buffer);
  if (n > 0) {
    to.append(buffer, static_cast<std::size_t>(n));
    return true;
  }
  ::close(fd);
  fd = -1;
  return false;
}

}  // namespace

Terminal::Terminal(unsigned short rows, unsigned short columns)
    : master_(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (!master_ || ::grantpt(master_.get()) != 0 || ::unlockpt(master_.get()) != 0) {
    throw_errno("posix_openpt");
  }
  char name[64];
  if (::ptsname_r(master_.get(), name, sizeof name) != 0) throw_errno("ptsname_r");
  path_ = name;
  const winsize size{rows, columns, 0, 0};
  if (::ioctl(master_.get(), TIOCSWINSZ, &size) != 0) throw_errno("TIOCSWINSZ");
}

void Terminal::type(const std::string& text) {
  if (::write(master_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    throw_errno("write to a terminal");
}

std::string Terminal::shown() {
  std::string text;
  int fd = master_.release();
  while (append_available(fd, text)) {
  }
  std::erase(text, '\r');
  return text;
}

Child::Child(const std::vector<std::string>& argv, const RunOptions& options) {
  Pipe in = make_pipe();
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  if (!options.output_file.empty()) {
    out.write_end.reset(::open(options.output_file.c_str(),
                               O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0600));
    if (!out.write_end) throw_errno("open " + options.output_file);
    err.write_end.reset(::fcntl(out.write_end.get(), F_DUPFD_CLOEXEC, 0));
  }
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, in.read_end.get(), 0);
  posix_spawn_file_actions_adddup2(&actions, out.write_end.get(), 1);
  posix_spawn_file_actions_adddup2(&actions, err.write_end.get(), 2);
  const std::vector<std::string> environment = merged_environment(options.env);
  const int error = ::posix_spawnp(&pid_, argv.front().c_str(), &actions, nullptr,
                                   pointers(argv).data(), pointers(environment).data());
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::system_error(error, std::generic_category(), argv.front());
  in.read_end.reset();
  // Test inputs fit into the pipe's buffer.
  if (!options.input.empty() &&
      ::write(in.write_end.get(), options.input.data(), options.input.size()) !=
          static_cast<ssize_t>(options.input.size())) {
    throw_errno("write to the child");
  }
  out_fd_ = out.read_end.release();
  err_fd_ = err.read_end.release();
}

Child::~Child() {
  if (pid_ > 0) {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  if (out_fd_ >= 0) ::close(out_fd_);
  if (err_fd_ >= 0) ::close(err_fd_);
}

void Child::kill(int signal) {
  ::kill(pid_, signal);
}

bool Child::read_some() {
  pollfd fds[] = {{out_fd_, POLLIN, 0}, {err_fd_, POLLIN, 0}};
  if (out_fd_ < 0 && err_fd_ < 0) return false;
  const int ready = ::poll(fds, 2, kTimeoutMs);
  REQUIRE_MESSAGE(ready > 0, "a child said nothing for a minute; so far: ", result_.err);
  if (fds[0].revents != 0) append_available(out_fd_, result_.out);
  if (fds[1].revents != 0) append_available(err_fd_, result_.err);
  return true;
}

void Child::wait_for_output(const std::string& text) {
  const auto seen = [&] {
    return result_.out.find(text) != std::string::npos ||
           result_.err.find(text) != std::string::npos;
  };
  while (!seen()) {
    REQUIRE_MESSAGE(read_some(), "the child ended before it said '", text, "': ", result_.err);
  }
}

bool Child::ended_within(int timeout_ms) const {
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (!pidfd) throw_errno("pidfd_open");
  pollfd fd{pidfd.get(), POLLIN, 0};
  return ::poll(&fd, 1, timeout_ms) > 0;
}

RunResult Child::wait() {
  while (read_some()) {
  }
  int status = 0;
  if (::waitpid(pid_, &status, 0) != pid_) throw_errno("waitpid");
  pid_ = -1;
  result_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result_;
}

RunResult run(const std::vector<std::string>& argv, const RunOptions& options) {
  return Child(argv, options).wait();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary);
  file << text;
  REQUIRE(file.flush().good());
}

namespace {

// Checks whenever something changes in the folder around `path`, until it exists or not, as wanted.
void wait_until(bool there, const std::string& path) {
  const UniqueFd notify(::inotify_init1(IN_CLOEXEC));
  if (!notify) throw_errno("inotify_init1");
  const std::string folder = path.substr(0, path.rfind('/'));
  const auto events = there ? IN_CREATE | IN_MOVED_TO | IN_CLOSE_WRITE
                            : IN_DELETE | IN_MOVED_FROM | IN_DELETE_SELF | IN_MOVE_SELF;
  if (::inotify_add_watch(notify.get(), folder.c_str(), static_cast<std::uint32_t>(events)) < 0) {
    if (!there && errno == ENOENT) return;
    throw_errno("inotify_add_watch " + folder);
  }
  while ((::access(path.c_str(), F_OK) == 0) != there) {
    pollfd fd{notify.get(), POLLIN, 0};
    const char* const missing = there ? "nobody created " : "nobody removed ";
    REQUIRE_MESSAGE(::poll(&fd, 1, kTimeoutMs) > 0, missing, path);
    char buffer[4096];
    if (::read(notify.get(), buffer, sizeof buffer) <= 0) throw_errno("read inotify");
  }
}

}  // namespace

void wait_for_file(const std::string& path) {
  wait_until(true, path);
}

void wait_until_gone(const std::string& path) {
  wait_until(false, path);
}

}  // namespace taskd::test
