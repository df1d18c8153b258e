#include "daemon/process/shim/command.h"

#include <grp.h>
#include <linux/sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
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

constexpr std::size_t kMaxSentence = 512;

// What the child tells the shim.
struct Report {
  Failure failure;                // a fork's pointers mean the same in the parent
  char sentence[kMaxSentence]{};  // "" = the step says it
};

using Sentence = Text<kMaxSentence>;

[[noreturn]] void fail(int report, const char* step, int error, Sentence sentence = {}) {
  Report text{{step, error}};
  std::strcpy(text.sentence, sentence.c_str());
  // Fails only when the shim is gone, and with it whoever would read.
  [[maybe_unused]] const ssize_t n = ::write(report, &text, sizeof text);
  ::_exit(127);
}

[[noreturn]] void fail(int report, const char* step) {
  fail(report, step, errno);
}

// On one line, and not longer than leaves room for the rest.
void add_name(Sentence& sentence, std::string_view name) {
  constexpr std::size_t kMax = 256;
  for (const char c : name.substr(0, kMax)) {
    if (c == '\r') {
      sentence << "\\r";
    } else if (c == '\n') {
      sentence << "\\n";
    } else {
      sentence << std::string_view(static_cast<unsigned char>(c) < ' ' ? "?" : &c, 1);
    }
  }
}

// "Folder /nosuch does not exist", "Folder /root cannot be entered: Permission denied"
Sentence say(const char* what, const char* name, const char* cannot, int error) {
  Sentence sentence;
  sentence << what << " ";
  add_name(sentence, name);
  if (error == ENOENT) {
    sentence << " does not exist";
  } else {
    sentence << " cannot be " << cannot << ": " << ::strerror(error);
  }
  return sentence;
}

// The file that execvp() found for the command, or tried. False when there is none.
bool find_program(const char* name, Sentence& path) {
  if (std::strchr(name, '/') != nullptr || *name == '\0') {
    path << name;
    return ::access(path.c_str(), F_OK) == 0;
  }
  const char* folders = ::getenv("PATH");
  if (folders == nullptr) folders = "/bin:/usr/bin";
  for (;;) {
    const char* end = std::strchr(folders, ':');
    const std::size_t length =
        end != nullptr ? static_cast<std::size_t>(end - folders) : std::strlen(folders);
    path = {};
    path << (length == 0 ? std::string_view(".") : std::string_view(folders, length)) << "/"
         << name;
    if (::access(path.c_str(), F_OK) == 0) return true;
    if (end == nullptr) return false;
    folders = end + 1;
  }
}

// Of a file that is there although the kernel says ENOENT: what it names in its first line.
Sentence say_interpreter(const char* path) {
  char line[256] = {};
  const Fd file(::open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  const ssize_t n = file ? ::read(file.get(), line, sizeof line - 1) : -1;
  if (n <= 2 || line[0] != '#' || line[1] != '!') {
    Sentence sentence;
    sentence << "Program ";
    add_name(sentence, path);
    sentence << " needs a loader that does not exist";
    return sentence;
  }
  const char* begin = line + 2 + std::strspn(line + 2, " \t");
  const std::string_view interpreter(begin, std::strcspn(begin, " \t\n"));
  Sentence sentence;
  sentence << "Interpreter ";
  add_name(sentence, interpreter);
  sentence << " of ";
  add_name(sentence, path);
  sentence << " does not exist";
  if (interpreter.ends_with('\r')) sentence << ": its lines end with CR LF, convert them to LF";
  return sentence;
}

// Why execvp() failed, as the task's user sees it.
Sentence say_exec(const char* name, int error) {
  Sentence path;
  const bool exists = find_program(name, path);
  if (exists && error == ENOENT) return say_interpreter(path.c_str());
  if (exists) return say("Program", path.c_str(), "run", error);
  if (error != ENOENT || std::strchr(name, '/') != nullptr) {
    return say("Program", name, "run", error);
  }
  Sentence sentence;
  sentence << "Program ";
  add_name(sentence, name);
  sentence << " was not found in PATH";
  return sentence;
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

// Never goes below the daemon's own value, which would take a privilege. The kernel cuts off values
// above kMaxNice.
bool yield_processor(int nice) {
  return nice <= ::getpriority(PRIO_PROCESS, 0) || ::setpriority(PRIO_PROCESS, 0, nice) == 0;
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
  if (::chdir(spec.cwd) != 0) {
    fail(report, "chdir", errno, say("Folder", spec.cwd, "entered", errno));
  }
  ::umask(spec.header.process.umask);
  if (!yield_processor(spec.header.process.nice)) fail(report, "nice");
  sigset_t none;
  sigemptyset(&none);
  if (::sigprocmask(SIG_SETMASK, &none, nullptr) != 0) fail(report, "sigprocmask");
  if (*spec.input == '/') {
    const int error = open_stdin(spec.input);
    if (error != 0) fail(report, "stdin", error, say("Input", spec.input, "read", error));
  }
  environ = spec.env;  // execvp() searches the PATH that is in here
  ::execvp(spec.argv[0], spec.argv);
  const int error = errno;
  fail(report, "exec", error, say_exec(spec.argv[0], error));
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
    in.reset(open_own_file(kFolderFd, spec.input, O_RDONLY));
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
  static Report report;
  // Does not block: exec or exit has closed the other end.
  const ssize_t n = ::read(command.report.get(), &report, sizeof report);
  if (n != sizeof report) return {};
  if (report.sentence[0] != '\0') report.failure.step = report.sentence;
  return report.failure;
}

}  // namespace taskd::shim
