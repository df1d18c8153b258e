// Hooks that are commands: one process per try, with the document on its stdin.
#pragma once

#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"

namespace taskd {

// Runs the command as the daemon's own user, in a session of its own, in the folder /, with a small
// environment plus `extra`, the document on stdin and stdout discarded. Exit code 0 means
// delivered. At the timeout, and when the daemon stops (`stop_fd` readable), its process group is
// killed. None of our code runs between fork and exec (posix_spawn). Thread-safe. Does not throw: a
// command that cannot start counts as refused.
SendResult run_hook_command(const Hook& hook, const std::string& document,
                            const std::vector<std::string>& extra, int stop_fd) noexcept;

}  // namespace taskd
