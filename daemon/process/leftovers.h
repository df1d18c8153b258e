// What remains of an attempt's tree when its shim was killed. Thread-safe. What does not end within
// seconds, since the kernel is busy with it or it became another user's (sudo), makes these throw
// EBUSY; the caller then tries again.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>

#include "daemon/process/fork_server.h"

namespace taskd {

// Waits until the process is dead and has let go of all it held. Throws std::system_error.
void wait_for_exit(int pidfd);

// By what the processes of an attempt are known.
struct Marks {
  std::string token;                // of the secret in their environment (base/digest.h)
  pid_t session = 0;                // the command's; 0 = not known
  std::uint64_t session_start = 0;  // of its leader, in ticks since the boot
  int folder_fd = -1;               // of the attempt: a shim that holds it open is the attempt's
};

// The shim of the attempt whose folder this is, whatever its lock file says; 0 = there is none.
pid_t find_shim(int folder_fd);

// Kills every process that carries one of the marks, what a dead shim of `server` left (if there is
// a server), and all their descendants; and waits until there is none. The command itself died with
// its shim (PR_SET_PDEATHSIG). Without a cgroup and without the server that forked the shim, a
// process is missed that left the session, lost its parents and wiped its environment. Returns
// whether there was any. Throws std::system_error.
bool kill_leftovers(const Marks& marks, ForkServer* server);

// Kills everything in the cgroup, waits until it is empty and removes it. A missing one is fine.
// Throws std::system_error.
void end_cgroup(const std::string& path);

}  // namespace taskd
