// The launcher's end of the fork server (shim/fork_server.h): where shims come from. It is started
// at the first launch, once more whenever it is found dead, and ends with this object or with the
// daemon. Its shims are children of it or, once it is gone, of init: never of the daemon. So is
// what a killed shim leaves. A server that does not answer in time is ended like a dead one.
//
// Thread-safe. Requires of its process that SIGCHLD is not ignored: the server is waited for.
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

// A shim that waits at its launch pipe. It starts nothing until it has read a whole spec; when the
// launch pipe closes before that, it leaves by itself.
struct NewShim {
  pid_t pid = -1;
  UniqueFd pidfd;
  UniqueFd launch_pipe;  // its write end
};

// Blocks while the pipe is full and the shim alive, for some seconds at most. Throws
// std::system_error; then the shim has not got a whole spec. Requires that SIGPIPE is ignored.
void write_spec(int launch_pipe_fd, std::string_view spec);

class ForkServer {
 public:
  // `shims_cgroup` is the cgroup folder the shims are born in, or empty: then it is the daemon's.
  // `open_files`: the limit that shims and their commands get; nothing: the daemon's.
  ForkServer(std::string shim_path, UniqueFd shims_cgroup,
             std::optional<rlimit> open_files = std::nullopt);
  ~ForkServer();
  ForkServer(const ForkServer&) = delete;
  ForkServer& operator=(const ForkServer&) = delete;

  // A shim with the attempt's lock and folder; `label` is what ps shows of it. Throws
  // std::system_error, ETIMEDOUT after some seconds. Then no shim of this call ever starts
  // anything, but one may be on its way out: wait for the lock to know that it is gone.
  NewShim fork(const std::string& label, int lock_fd, int folder_fd) TASKD_EXCLUDES(mutex_);

  // The server and its shims that are not known to be dead.
  struct Family {
    pid_t server = 0;  // 0 = there is none
    std::set<pid_t> shims = {};
  };
  // Calls `look`; meanwhile no shim is forked, so every other child of the server is what a killed
  // shim left.
  void hold_family(const std::function<void(const Family&)>& look)
      TASKD_EXCLUDES(mutex_, shims_mutex_);
  // The shim is dead.
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
  UniqueFd socket_ TASKD_GUARDED_BY(mutex_);  // empty = there is no server
  UniqueFd pidfd_ TASKD_GUARDED_BY(mutex_);   // of the server
  pid_t pid_ TASKD_GUARDED_BY(mutex_) = 0;    // of the server; 0 = there is none
  Mutex shims_mutex_;                         // taken last; an end need not wait for a fork
  std::set<pid_t> shims_ TASKD_GUARDED_BY(shims_mutex_);
};

}  // namespace taskd
