// The launcher's end of the fork server (shim/fork_server.h), which creates shims. It starts with
// the first launch, restarts whenever it is found dead, and ends with this object or with the
// daemon. Its shims are its children or, once it is gone, init's, but never the daemon's. The same
// holds for processes that a killed shim leaves. A server that does not answer in time is ended and
// treated as dead.
//
// Thread-safe. Requires that the process does not ignore SIGCHLD, because it waits for the server.
#pragma once

#include <sys/resource.h>
#include <sys/types.h>

#include <chrono>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "daemon/base/mutex.h"
#include "daemon/base/unique_fd.h"

namespace taskd {

// A shim that waits at its launch pipe. It starts nothing until it has read a whole spec; if the
// launch pipe closes before that, it exits.
struct NewShim {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd launch_pipe;  // write end
};

// Blocks while the pipe is full and the shim alive, for some seconds at most. Throws
// std::system_error; then the shim has not received a whole spec. Requires that SIGPIPE is ignored.
void write_spec(int launch_pipe_fd, std::string_view spec);

class ForkServer {
 public:
  // `shims_cgroup` is the cgroup folder for new shims; empty = the daemon's own. `open_files`: the
  // limit for shims and their commands; nothing = the daemon's own.
  ForkServer(std::string shim_path, UniqueFd shims_cgroup,
             std::optional<rlimit> open_files = std::nullopt);
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  // Creates a shim with the attempt's lock and folder; `label` is what ps shows. Throws
  // std::system_error, ETIMEDOUT after some seconds. Then no shim from this call ever starts
  // anything, but one may still be exiting: wait for the lock to know that it is gone.
  NewShim fork(const std::string& label, int lock_fd, int folder_fd) TASKD_EXCLUDES(mutex_);

  // The server and its shims that are not known to be dead.
  struct Family {
    pid_t server = 0;  // 0 = there is none
    std::set<pid_t> shims = {};
  };
  // Calls `look` while no shim is forked: every other child of the server was then left by a killed
  // shim.
  void hold_family(const std::function<void(const Family&)>& look)
      TASKD_EXCLUDES(mutex_, shims_mutex_);
  // Call when the shim is dead.
  void forget(pid_t shim) TASKD_EXCLUDES(shims_mutex_);

 private:
  using Deadline = std::chrono::steady_clock::time_point;
  std::optional<NewShim> ask(const std::string& label, int lock_fd, int folder_fd,
                             Deadline deadline) TASKD_REQUIRES(mutex_);
  void start() TASKD_REQUIRES(mutex_);
  void end() TASKD_REQUIRES(mutex_);

  const std::string path_;
  const UniqueFd shims_cgroup_;
  const std::optional<rlimit> open_files_;
  Mutex mutex_;
  UniqueFd socket_ TASKD_GUARDED_BY(mutex_);  // empty = no server
  UniqueFd pidfd_ TASKD_GUARDED_BY(mutex_);   // of the server
  pid_t pid_ TASKD_GUARDED_BY(mutex_) = 0;    // of the server; 0 = no server
  // Taken last, so that an ending attempt need not wait for a fork.
  Mutex shims_mutex_;
  std::set<pid_t> shims_ TASKD_GUARDED_BY(shims_mutex_);
};

}  // namespace taskd
