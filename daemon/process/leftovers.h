// Ends what remains of an attempt's processes after its shim was killed. Thread-safe. Throws EBUSY
// if a process does not end within seconds, because the kernel is busy with it or it changed its
// user (sudo); the caller then tries again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "daemon/process/fork_server.h"

namespace taskd {

// Waits until the process is dead and has released everything it held. Throws std::system_error.
void wait_for_exit(int pidfd);

// What identifies the processes of an attempt.
struct Marks {
  std::string token;                // of the secret in their environment (base/digest.h)
  pid_t session = 0;                // the command's session; 0 = unknown
  std::uint64_t session_start = 0;  // start time of its leader, in ticks since boot
  int folder_fd = -1;               // the attempt's folder, which its shim holds open
};

// Finds the shim that holds this folder open, whatever its lock file says; 0 = none.
pid_t find_shim(int folder_fd);

// Kills every process with one of the marks, the processes that a dead shim of `server` left (if
// there is a server), and all their descendants; waits until they are gone. The command itself died
// with its shim (PR_SET_PDEATHSIG). Without a cgroup and without the server that forked the shim,
// it misses a process that left the session, lost its parents and cleared its environment. Returns
// whether there was any. Throws std::system_error.
bool kill_leftovers(const Marks& marks, ForkServer* server);

// Kills everything in the cgroup, waits until it is empty and removes it. A missing cgroup is
// ignored. Throws std::system_error.
void end_cgroup(const std::string& path);

}  // namespace taskd
