#include "daemon/process/shim/fork_server.h"

#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <cerrno>
#include <cstring>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/protocol.h"

namespace taskd::shim {
namespace {

constexpr int kCannotSetUp = 2;
constexpr int kCannotAnswer = 3;

struct Request {
  char label[kMaxLabelBytes];
  std::size_t label_bytes = 0;
  Fd fds[kMaxRequestFds];
  int error = 0;  // why it cannot be met
};

union Control {
  cmsghdr header;
  char bytes[CMSG_SPACE(kMaxRequestFds * sizeof(int))];
};

// Returns how many there are.
int take_fds(msghdr& message, Request& request) {
  int count = 0;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_type == SCM_RIGHTS) {
    int fds[kMaxRequestFds];
    count = static_cast<int>((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
    std::memcpy(fds, CMSG_DATA(header), static_cast<std::size_t>(count) * sizeof(int));
    for (int i = 0; i < count; ++i) request.fds[i].reset(fds[i]);
  }
  return count;
}

// False at the end: the daemon is gone (or the socket fails, and a new server is the remedy).
bool receive(Request& request) {
  iovec text{request.label, sizeof request.label};
  Control control;
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = &control;
  message.msg_controllen = sizeof control;
  const ssize_t n = ::recvmsg(kServerSocketFd, &message, MSG_CMSG_CLOEXEC);
  if (n <= 0) return false;
  request.label_bytes = static_cast<std::size_t>(n);
  const int count = take_fds(message, request);
  if ((message.msg_flags & MSG_CTRUNC) != 0) {
    request.error = EMFILE;
  } else if (count < kMinRequestFds || request.fds[kRequestLock].get() != kLockFd ||
             request.fds[kRequestFolder].get() != kFolderFd) {
    request.error = EBADMSG;
  }
  return true;
}

// Like fork(), with a pidfd, and into the cgroup unless that is -1: moving the shim there later
// would stall for a grace period of RCU. Without one not by clone3(), which the seccomp filters of
// older containers refuse.
pid_t fork_with_pidfd(int cgroup_fd, int& pidfd) {
  if (cgroup_fd < 0) {
    return static_cast<pid_t>(
        ::syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, nullptr, &pidfd, nullptr, nullptr));
  }
  clone_args args{};
  args.flags = CLONE_PIDFD | CLONE_INTO_CGROUP;
  args.pidfd = reinterpret_cast<std::uintptr_t>(&pidfd);
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

bool handle_sigchld(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  return ::sigaction(SIGCHLD, &action, nullptr) == 0;
}

// Never returns, so that no fork ever comes to serve.
[[noreturn]] void become_shim(Request& request, char* label, int (*run_shim)()) {
  // First, as this also lets go of the server's socket.
  if (::dup2(request.fds[kRequestLaunchPipe].get(), kLaunchPipeFd) != kLaunchPipeFd)
    ::_exit(kCannotSetUp);
  request.fds[kRequestLaunchPipe].reset();
  request.fds[kRequestCgroup].reset();
  std::memset(label, 0, kMaxLabelBytes);
  std::memcpy(label, request.label, request.label_bytes);
  if (::setsid() < 0 || !handle_sigchld(SIG_DFL)) ::_exit(kCannotSetUp);
  ::_exit(run_shim());
}

// False: the daemon is gone, or the machine is short of memory. The daemon must not wait for what
// will not come, so then the server ends; that closes the launch pipe of the shim, too.
bool answer(const ForkReply& reply, int pidfd) {
  iovec text{const_cast<ForkReply*>(&reply), sizeof reply};
  Control control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (pidfd >= 0) {
    message.msg_control = &control;
    message.msg_controllen = CMSG_SPACE(sizeof pidfd);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    control.header.cmsg_len = CMSG_LEN(sizeof pidfd);
    std::memcpy(CMSG_DATA(&control.header), &pidfd, sizeof pidfd);
  }
  return ::sendmsg(kServerSocketFd, &message, MSG_NOSIGNAL) >= 0;
}

bool set_up() {
  // SIGCHLD ignored: the kernel reaps the forks. What they inherit: all signals blocked (a shim
  // reads SIGCHLD and SIGTERM from a descriptor, so a stop that comes early waits until it can; the
  // others stay pending forever) and a working folder that holds no mount busy. What a killed shim
  // leaves becomes our child, and is found by that.
  sigset_t all;
  sigfillset(&all);
  return ::pthread_sigmask(SIG_SETMASK, &all, nullptr) == 0 && handle_sigchld(SIG_IGN) &&
         ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && ::chdir("/") == 0;
}

}  // namespace

void serve_forks(char* label, int (*run_shim)()) {
  if (!set_up()) ::_exit(kCannotSetUp);
  for (;;) {
    Fd pidfd;
    ForkReply reply{};
    {
      Request request;
      if (!receive(request)) ::_exit(0);
      reply.error = request.error;
      int fd = -1;
      const pid_t pid =
          reply.error != 0 ? -1 : fork_with_pidfd(request.fds[kRequestCgroup].get(), fd);
      if (pid == 0) become_shim(request, label, run_shim);
      if (pid > 0) {
        reply.pid = pid;
        pidfd.reset(fd);
      } else if (reply.error == 0) {
        reply.error = errno;
      }
    }  // from here on the lock is held by the shim and its launcher alone
    if (!answer(reply, pidfd.get())) ::_exit(kCannotAnswer);
  }
}

}  // namespace taskd::shim
