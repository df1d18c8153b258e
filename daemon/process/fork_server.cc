#include "daemon/process/fork_server.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstring>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

// Of who asks for a fork, which takes a millisecond. A server or a shim may be stopped by a signal.
constexpr std::chrono::seconds kTimeout{5};

void check(int error, const char* what) {
  if (error == 0) return;
  errno = error;
  throw_errno(what);
}

// False when the time is over.
bool wait_until(int fd, short events, std::chrono::steady_clock::time_point deadline) {
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    pollfd slot{fd, events, 0};
    const int ready = ::poll(&slot, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) return true;
    if (ready == 0 && left.count() <= 0) return false;
    if (ready < 0 && errno != EINTR) throw_errno("poll");
  }
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

pid_t spawn(const std::string& path, int socket) {
  FileActions actions;
  actions.hand(socket, shim::kServerSocketFd);
  actions.open_null(1);
  actions.open_null(2);
  actions.close_from(3);
  const Attributes attributes;
  std::string name = "taskd-shim";
  std::string argument(shim::kServerArgument);
  char* argv[] = {name.data(), argument.data(), nullptr};
  char* env[] = {nullptr};
  pid_t pid = -1;
  check(::posix_spawn(&pid, path.c_str(), actions.get(), attributes.get(), argv, env),
        "start the shims' fork server");
  return pid;
}

// One message and the descriptors that go with it.
class Message {
 public:
  Message(void* data, std::size_t bytes) : text_{data, bytes} {
    header_.msg_iov = &text_;
    header_.msg_iovlen = 1;
  }
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  bool send(int socket, const int* fds, std::size_t count) {
    const std::size_t bytes = count * sizeof(int);
    header_.msg_control = &control_;
    header_.msg_controllen = CMSG_SPACE(bytes);
    control_.header.cmsg_level = SOL_SOCKET;
    control_.header.cmsg_type = SCM_RIGHTS;
    control_.header.cmsg_len = CMSG_LEN(bytes);
    std::memcpy(CMSG_DATA(&control_.header), fds, bytes);
    while (::sendmsg(socket, &header_, MSG_NOSIGNAL) < 0) {
      if (errno != EINTR) return false;
    }
    return true;
  }

  // The length of the message, 0 at the end of the stream, or -1. At most one descriptor comes.
  ssize_t receive(int socket, UniqueFd& fd) {
    ssize_t n = -1;
    do {
      header_.msg_control = &control_;
      header_.msg_controllen = CMSG_SPACE(sizeof(int));
      n = ::recvmsg(socket, &header_, MSG_CMSG_CLOEXEC);
    } while (n < 0 && errno == EINTR);
    const cmsghdr* control = n > 0 ? CMSG_FIRSTHDR(&header_) : nullptr;
    if (control != nullptr && control->cmsg_type == SCM_RIGHTS) {
      int received = -1;
      std::memcpy(&received, CMSG_DATA(control), sizeof received);
      fd.reset(received);
    }
    return n;
  }

 private:
  union Control {
    cmsghdr header;
    char bytes[CMSG_SPACE(shim::kMaxRequestFds * sizeof(int))];
  };
  iovec text_;
  msghdr header_{};
  Control control_{};
};

}  // namespace

void write_spec(int launch_pipe_fd, std::string_view spec) {
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  // Else a write would block for as long as a stopped shim does not read.
  if (::fcntl(launch_pipe_fd, F_SETFL, O_NONBLOCK) != 0) throw_errno("open the shim's launch pipe");
  while (!spec.empty()) {
    const ssize_t n = ::write(launch_pipe_fd, spec.data(), spec.size());
    if (n > 0) {
      spec.remove_prefix(static_cast<std::size_t>(n));
    } else if (errno == EAGAIN) {
      if (!wait_until(launch_pipe_fd, POLLOUT, deadline))
        check(ETIMEDOUT, "write to the shim's launch pipe");
    } else if (errno != EINTR) {
      throw_errno("write to the shim's launch pipe");  // EPIPE: it died
    }
  }
}

ForkServer::ForkServer(std::string shim_path, UniqueFd shims_cgroup,
                       std::optional<rlimit> open_files)
    : path_(std::move(shim_path)),
      shims_cgroup_(std::move(shims_cgroup)),
      open_files_(open_files) {}

ForkServer::~ForkServer() {
  const MutexLock hold(mutex_);
  end();
}

NewShim ForkServer::fork(const std::string& label, int lock_fd, int folder_fd) {
  // From before the mutex: those that wait for their turn give up in time, too.
  const Deadline deadline = std::chrono::steady_clock::now() + kTimeout;
  const MutexLock hold(mutex_);
  if (std::chrono::steady_clock::now() > deadline) {
    check(ETIMEDOUT, "wait for the shims' fork server");
  }
  const bool was_running = static_cast<bool>(socket_);
  if (!was_running) start();
  std::optional<NewShim> shim = ask(label, lock_fd, folder_fd, deadline);
  if (!shim && was_running) {
    log::warn("the shims' fork server was gone or did not answer; starting another");
    start();
    shim = ask(label, lock_fd, folder_fd, std::chrono::steady_clock::now() + kTimeout);
  }
  if (shim) {
    const MutexLock hold_shims(shims_mutex_);
    shims_.insert(shim->pid);
    return *std::move(shim);
  }
  errno = ECONNRESET;
  throw_errno("ask the shims' fork server");
}

void ForkServer::hold_family(const std::function<void(const Family&)>& look) {
  const MutexLock hold(mutex_);
  Family family{pid_};
  {
    const MutexLock hold_shims(shims_mutex_);
    family.shims = shims_;
  }
  look(family);
}

void ForkServer::forget(pid_t shim) {
  const MutexLock hold(shims_mutex_);
  shims_.erase(shim);
}

// Nothing when the server is dead or does not answer, and then it has been ended for certain. It
// may have forked a shim before that; but the launch pipe of that one closes with this call, so it
// starts nothing, and may share the lock with a shim of the next call until it is gone.
std::optional<NewShim> ForkServer::ask(const std::string& label, int lock_fd, int folder_fd,
                                       Deadline deadline) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw_errno("pipe");
  UniqueFd read_end(ends[0]);
  NewShim shim{-1, UniqueFd(), UniqueFd(ends[1])};

  const int fds[] = {lock_fd, folder_fd, read_end.get(), shims_cgroup_.get()};
  std::string text = label;
  if (!Message(text.data(), text.size())
           .send(socket_.get(), fds, shims_cgroup_ ? shim::kMaxRequestFds : shim::kMinRequestFds)) {
    if (errno != EPIPE && errno != ECONNRESET && errno != EAGAIN) {
      throw_errno("ask the shims' fork server");
    }
    end();
    return std::nullopt;
  }
  read_end.reset();
  shim::ForkReply reply{};
  if (!wait_until(socket_.get(), POLLIN, deadline) ||
      Message(&reply, sizeof reply).receive(socket_.get(), shim.pidfd) != sizeof reply) {
    end();
    return std::nullopt;
  }
  check(reply.error, "fork a shim");
  if (!shim.pidfd) {
    // It may be there all the same; without its pidfd nobody can wait for it.
    end();
    check(EMFILE, "receive a shim's pidfd");
  }
  shim.pid = reply.pid;
  return shim;
}

void ForkServer::start() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) != 0) {
    throw_errno("socketpair");
  }
  UniqueFd ours(ends[0]);
  const UniqueFd bare_theirs(ends[1]);
  // What is handed out must not lie where the server's own descriptors will be put.
  const UniqueFd theirs(::fcntl(bare_theirs.get(), F_DUPFD_CLOEXEC, 3));
  if (!theirs || ::fcntl(theirs.get(), F_SETFL, 0) != 0) throw_errno("dup");
  pid_ = spawn(path_, theirs.get());
  pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid_, 0)));
  socket_ = std::move(ours);
  if (open_files_ && ::prlimit(pid_, RLIMIT_NOFILE, &*open_files_, nullptr) != 0) {
    log::warn("jobs get the daemon's own limit of open files",
              {{"error", std::generic_category().message(errno)}});
  }
}

void ForkServer::end() {
  if (!socket_) return;
  socket_.reset();
  ::kill(pid_, SIGKILL);  // our child and not reaped: the pid is its own
  // Without a pidfd it may take as long as it takes.
  const auto deadline = std::chrono::steady_clock::now() + kTimeout;
  if (!pidfd_ || wait_until(pidfd_.get(), POLLIN, deadline)) {
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  } else {
    log::error("the shims' fork server does not die", {{"pid", pid_}});
  }
  pidfd_.reset();
  pid_ = 0;
}

}  // namespace taskd
