#include "daemon/process/new_shim.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "daemon/base/errors.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

void check(int error, const char* what) {
  if (error == 0) return;
  errno = error;
  throw_errno(what);
}

// Descriptors to hand out must not lie where the shim's own will be put.
UniqueFd above_protocol(int fd) {
  UniqueFd moved(::fcntl(fd, F_DUPFD_CLOEXEC, shim::kFirstFreeFd));
  if (!moved) throw_errno("dup");
  return moved;
}

class FileActions {
 public:
  FileActions() { check(::posix_spawn_file_actions_init(&actions_), "posix_spawn"); }
  ~FileActions() { ::posix_spawn_file_actions_destroy(&actions_); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;

  void hand(int fd, int as) {
    check(::posix_spawn_file_actions_adddup2(&actions_, fd, as), "posix_spawn");
  }
  void open_null(int as) {
    check(::posix_spawn_file_actions_addopen(&actions_, as, "/dev/null", O_RDWR, 0), "posix_spawn");
  }
  void close_from(int fd) {
    check(::posix_spawn_file_actions_addclosefrom_np(&actions_, fd), "posix_spawn");
  }
  const posix_spawn_file_actions_t* get() const { return &actions_; }

 private:
  posix_spawn_file_actions_t actions_;
};

class Attributes {
 public:
  Attributes() {
    check(::posix_spawnattr_init(&attributes_), "posix_spawn");
    sigset_t all;
    sigfillset(&all);
    // Blocked from birth, so that a stop that comes early waits until the shim can take it.
    ::posix_spawnattr_setsigmask(&attributes_, &all);
    ::posix_spawnattr_setsigdefault(&attributes_, &all);
    ::posix_spawnattr_setflags(&attributes_,
                               POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~Attributes() { ::posix_spawnattr_destroy(&attributes_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;

  const posix_spawnattr_t* get() const { return &attributes_; }

 private:
  posix_spawnattr_t attributes_;
};

pid_t spawn(const std::string& path, const std::string& label, int gate, int lock, int folder) {
  FileActions actions;
  actions.hand(gate, shim::kGateFd);
  actions.open_null(1);
  actions.open_null(2);
  actions.hand(lock, shim::kLockFd);
  actions.hand(folder, shim::kFolderFd);
  actions.close_from(shim::kFirstFreeFd);
  const Attributes attributes;
  std::string name = "taskd-shim";
  std::string shown = label;
  char* argv[] = {name.data(), shown.data(), nullptr};
  char* env[] = {nullptr};
  pid_t pid = -1;
  check(::posix_spawn(&pid, path.c_str(), actions.get(), attributes.get(), argv, env),
        "start the shim");
  return pid;
}

void kill_and_reap(pid_t pid) {
  ::kill(pid, SIGKILL);  // our child and not reaped: the pid is its own
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace

NewShim::NewShim(const std::string& shim_path, const std::string& label, int lock_fd,
                 int folder_fd) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe");
  UniqueFd read_end(ends[0]);
  gate_.reset(ends[1]);
  if (read_end.get() < shim::kFirstFreeFd) read_end = above_protocol(read_end.get());
  UniqueFd lock_above;
  UniqueFd folder_above;
  if (lock_fd < shim::kFirstFreeFd) lock_above = above_protocol(lock_fd);
  if (folder_fd < shim::kFirstFreeFd) folder_above = above_protocol(folder_fd);
  pid_ = spawn(shim_path, label, read_end.get(), lock_above ? lock_above.get() : lock_fd,
               folder_above ? folder_above.get() : folder_fd);
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  if (pidfd_) return;
  const int error = errno;
  kill_and_reap(pid_);
  errno = error;
  throw_errno("pidfd_open");
}

NewShim::~NewShim() {
  if (pid_ > 0) kill_and_reap(pid_);
}

void NewShim::open_gate(std::string_view spec) {
  while (!spec.empty()) {
    const ssize_t n = ::write(gate_.get(), spec.data(), spec.size());
    if (n > 0) {
      spec.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno != EINTR) {
      throw_errno("write to the shim's gate");  // EPIPE: it died
    }
  }
}

NewShim::Handles NewShim::release() {
  pid_ = -1;
  return {std::move(pidfd_), std::move(gate_)};
}

}  // namespace taskd
