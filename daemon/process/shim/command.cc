#include "daemon/process/shim/command.h"

#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "daemon/process/shim/open_file.h"
#include "daemon/process/shim/text.h"

namespace taskd::shim {
namespace {

[[noreturn]] void fail(int report, const char* step) {
  // A fork's pointers mean the same in the parent.
  const Failure failure{step, errno};
  // Fails only when the shim is gone, and with it whoever would read.
  [[maybe_unused]] const ssize_t n = ::write(report, &failure, sizeof failure);
  ::_exit(127);
}

bool take_identity(const SpecHeader& header, const gid_t* groups) {
  const uid_t uid = header.uid;
  const gid_t gid = header.gid;
  if (::setgroups(header.groups, groups) != 0 || ::setresgid(gid, gid, gid) != 0 ||
      ::setresuid(uid, uid, uid) != 0) {
    return false;
  }
  uid_t uids[3];
  gid_t gids[3];
  if (::getresuid(&uids[0], &uids[1], &uids[2]) != 0 ||
      ::getresgid(&gids[0], &gids[1], &gids[2]) != 0) {
    return false;
  }
  for (int i = 0; i < 3; ++i) {
    if (uids[i] != uid || gids[i] != gid) {
      errno = EPERM;
      return false;
    }
  }
  if (uid != 0 && ::setuid(0) == 0) {  // there must be no way back
    errno = EPERM;
    return false;
  }
  return true;
}

void reset_oom_score() {
  // Raising the score is always allowed. Where /proc is read-only the command keeps the shield.
  const Fd file(::open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC));
  if (file) [[maybe_unused]]
    const ssize_t n = ::write(file.get(), "0", 1);
}

// While the shim lives its tree is found by its parents; this is for after that.
bool record_session() {
  char stat[512];
  if (read_small(AT_FDCWD, "/proc/self/stat", stat, sizeof stat) <= 0) return false;
  // "pid (name) state …": the name may hold anything, but nothing after it holds a ')'. The start
  // is the twentieth word after that.
  const char* at = std::strrchr(stat, ')');
  for (int word = 0; at != nullptr && word < 20; ++word) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return false;
  Text<64> line;
  line << kSessionMark << ::getpid() << " " << std::strtoull(at + 1, nullptr, 10) << "\n";
  errno = ENOSPC;  // what a short write means
  return ::write(kLockFd, line.view().data(), line.view().size()) ==
         static_cast<ssize_t>(line.view().size());
}

struct Stdio {
  int in;
  int out;
  int err;
};

// The shim's other descriptors are all close-on-exec.
bool take_stdio(const Stdio& stdio) {
  return ::dup2(stdio.in, 0) == 0 && ::dup2(stdio.out, 1) == 1 && ::dup2(stdio.err, 2) == 2;
}

// With signals unblocked: to open a pipe waits for who writes into it. Returns 0 or errno.
int open_stdin(const char* path) {
  const Fd file(::open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC));
  struct stat info {};
  if (!file || ::fstat(file.get(), &info) != 0) return errno;
  if (S_ISDIR(info.st_mode)) return EISDIR;
  return ::dup2(file.get(), STDIN_FILENO) == STDIN_FILENO ? 0 : errno;
}

[[noreturn]] void become_command(const Spec& spec, const Stdio& stdio, int report, pid_t shim) {
  // A session of its own, so that a job's "kill 0" does not reach the shim.
  if (::setsid() < 0) fail(report, "setsid");
  if (!record_session()) fail(report, "lock");
  if (!take_stdio(stdio)) fail(report, "stdio");
  if (spec.header.reset_oom_score != 0) reset_oom_score();
  if (spec.header.switch_user != 0 && !take_identity(spec.header, spec.groups)) {
    fail(report, "setuid");
  }
  // After the change of identity, which clears it. The shim is single-threaded, so the death of
  // "the parent's thread" is the shim's own.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail(report, "prctl");
  if (::getppid() != shim) ::_exit(127);  // it died before that
  if (::chdir(spec.cwd) != 0) fail(report, "chdir");
  ::umask(022);
  sigset_t none;
  sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) fail(report, "sigprocmask");
  if (*spec.input == '/') {
    errno = open_stdin(spec.input);
    if (errno != 0) fail(report, "stdin");
  }
  environ = spec.env;  // execvp() searches the PATH that is in here
  ::execvp(spec.argv[0], spec.argv);
  fail(report, "exec");
}

// fork(), but born inside the cgroup: moving it there later would stall for a grace period of RCU.
pid_t fork_into(int cgroup_fd) {
  if (cgroup_fd < 0) return ::fork();
  clone_args args{};
  args.flags = CLONE_INTO_CGROUP;
  args.exit_signal = SIGCHLD;
  args.cgroup = static_cast<std::uint64_t>(cgroup_fd);
  return static_cast<pid_t>(::syscall(SYS_clone3, &args, sizeof args));
}

bool make_pipe(Fd& read_end, Fd& write_end) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return false;
  read_end.reset(ends[0]);
  write_end.reset(ends[1]);
  return true;
}

}  // namespace

Failure start_command(const Spec& spec, int cgroup_fd, Command& command) {
  Fd in;
  if (*spec.input != '\0' && *spec.input != '/') {
    const uid_t owner = spec.header.switch_user != 0 ? spec.header.uid : ::geteuid();
    in.reset(open_own_file(kFolderFd, spec.input, O_RDONLY, owner));
    if (!in || ::fcntl(in.get(), F_SETFL, 0) != 0) return {"stdin", errno};
  }
  Fd out;
  Fd err;
  Fd report;
  if (!make_pipe(command.out, out) || !make_pipe(command.err, err) ||
      !make_pipe(command.report, report)) {
    return {"pipe", errno};
  }
  // Else `echo x >/dev/stderr` fails: opening it checks the owner of the pipe.
  const SpecHeader& header = spec.header;
  if (header.switch_user != 0 && (::fchown(out.get(), header.uid, header.gid) != 0 ||
                                  ::fchown(err.get(), header.uid, header.gid) != 0)) {
    return {"chown", errno};
  }
  const pid_t shim = ::getpid();
  command.pid = fork_into(cgroup_fd);
  if (command.pid < 0) return {"fork", errno};
  if (command.pid == 0) {
    const int input = in ? in.get() : kNullFd;
    become_command(spec, {input, out.get(), err.get()}, report.get(), shim);
  }
  return {};
}

Failure read_report(const Command& command) {
  Failure failure;
  // Does not block: exec or exit has closed the other end.
  const ssize_t n = ::read(command.report.get(), &failure, sizeof failure);
  return n == sizeof failure ? failure : Failure{};
}

}  // namespace taskd::shim
