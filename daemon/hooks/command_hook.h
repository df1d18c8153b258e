// A hook that is a command: one process a try, with the document on its stdin.
#pragma once

#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"

namespace taskd {

// Runs the command as the daemon's own user in a session of its own, in the folder /, with `extra`
// beside a small environment, the document on stdin and stdout nowhere. Exit code 0 is delivered.
// At the timeout and when the daemon stops (`stop_fd` readable) its process group is killed.
// Between fork and exec nothing of ours runs (posix_spawn). Thread-safe. Throws nothing: what
// cannot be started is refused.
SendResult run_hook_command(const Hook& hook, const std::string& document,
                            const std::vector<std::string>& extra, int stop_fd) noexcept;

}  // namespace taskd
