// taskd-shim: supervises one attempt of a task and outlives the daemon that started it.
//
// The launcher execs it once, as the fork server (fork_server.h); the shims are forks of that one,
// each born with the descriptors of protocol.h, its lock already held. A shim waits at its launch
// pipe for a whole launch spec; if the daemon dies before that, it leaves, and the lock file
// without kStartedMark is the proof that nothing ran. Then it runs the command to the end of its
// whole tree (supervisor.h), adds the status to its lock file and goes. SIGTERM asks it to stop the
// tree.
//
// Durability: while the daemon lives, its COMMIT is the durable record of the end and the status
// need not be; syncing it would only cost every task a disk write. A hung up launch pipe says that
// the daemon is gone: then it is synced before the shim leaves. A shim that was adopted by a
// later daemon has no launch pipe to that one and always syncs.
//
// Static, no exceptions, no third-party code, hardly any allocation; its environment is empty.

#include <poll.h>
#include <sys/prctl.h>

#include "daemon/process/shim/fork_server.h"
#include "daemon/process/shim/supervisor.h"

namespace taskd::shim {
namespace {

enum ExitCode { kDone = 0, kCannotSetUp = 2, kNothingStarted = 3, kUsage = 64 };

bool is_daemon_gone() {
  pollfd launch_pipe{kLaunchPipeFd, 0, 0};
  return ::poll(&launch_pipe, 1, 0) != 0;
}

int run() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) return kCannotSetUp;
  Spec spec;
  if (!read_spec(kLaunchPipeFd, spec)) return kNothingStarted;
  Supervisor supervisor(spec);
  End end = supervisor.run();
  const bool durable = is_daemon_gone();
  end.result = supervisor.keep_result(durable);
  write_status(spec, end, durable);
  return kDone;
}

int serve(int argc, char** argv) {
  if (argc != 2 || argv[1] != kServerArgument) {
    constexpr std::string_view kText = "taskd-shim is started by taskd, not by hand\n";
    [[maybe_unused]] const ssize_t n = ::write(STDERR_FILENO, kText.data(), kText.size());
    return kUsage;
  }
  serve_forks(argv[1], run);
}

}  // namespace
}  // namespace taskd::shim

int main(int argc, char** argv) {
  return taskd::shim::serve(argc, argv);
}
