// What remains of an attempt's tree when its shim was killed. Thread-safe.
#pragma once

#include <string>

namespace taskd {

// Waits until the process is dead and has let go of all it held. Throws std::system_error.
void wait_for_exit(int pidfd);

// Kills every process that carries this token in its environment, and waits until there is none.
// The command itself died with its shim (PR_SET_PDEATHSIG); this finds its children. A child that
// wiped its environment is found only through the cgroup. Returns whether there was any. Throws
// std::system_error.
bool kill_processes_with_token(const std::string& token);

// Kills everything in the cgroup, waits until it is empty and removes it. A missing one is fine.
// Throws std::system_error.
void end_cgroup(const std::string& path);

}  // namespace taskd
