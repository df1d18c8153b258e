// taskd-shim: supervises one attempt of a task and outlives the daemon that started it.
//
// Born from the launcher with the descriptors of protocol.h, its lock already held. It waits at its
// gate for a whole launch spec; if the daemon dies before that, it leaves, and the lock file
// without kStartedMark is the proof that nothing ran. Then it runs the command to the end of its
// whole tree (supervisor.h), writes the status file and goes. SIGTERM asks it to stop the tree.
//
// Durability: while the daemon lives, its COMMIT is the durable record of the end and the status
// file need not be; syncing it would only cost every task a disk write. A hung up gate says that
// the daemon is gone: then the file is synced before the shim leaves. A shim that was adopted by a
// later daemon has no gate to that one and always syncs.
//
// Static, no exceptions, no third-party code, hardly any allocation; its environment is empty.

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "daemon/process/shim/supervisor.h"

namespace taskd::shim {
namespace {

enum ExitCode { kDone = 0, kCannotSetUp = 2, kNothingStarted = 3 };

bool set_up() {
  // All of them: SIGCHLD and SIGTERM are read from a descriptor, the others stay pending forever.
  sigset_t all;
  sigfillset(&all);
  return ::sigprocmask(SIG_SETMASK, &all, nullptr) == 0 &&
         ::prctl(PR_SET_CHILD_SUBREAPER, 1) == 0 && ::fcntl(kLockFd, F_SETFD, FD_CLOEXEC) == 0 &&
         ::fcntl(kFolderFd, F_SETFD, FD_CLOEXEC) == 0 && ::chdir("/") == 0;  // holds no mount busy
}

bool is_daemon_gone() {
  pollfd gate{kGateFd, 0, 0};
  return ::poll(&gate, 1, 0) != 0;
}

int run() {
  if (!set_up()) return kCannotSetUp;
  Spec spec;
  if (!read_spec(kGateFd, spec)) return kNothingStarted;
  Supervisor supervisor(spec);
  const End end = supervisor.run();
  write_status(spec, end, is_daemon_gone());
  return kDone;
}

}  // namespace
}  // namespace taskd::shim

int main() {
  return taskd::shim::run();
}
