// The fork server: the only taskd-shim that is exec'ed. It forks a shim for each request and knows
// nothing of attempts. Single-threaded; see protocol.h for what it is told and what it answers.
#pragma once

namespace taskd::shim {

// Serves requests until the daemon is gone, then ends the process. `label` is this process's own
// argument, as long as kServerArgument. Each fork writes its label over it, takes the descriptors
// of protocol.h, becomes a session leader, and exits with what `run_shim` returns.
//
// Requires descriptors above 2 to be closed.
[[noreturn]] void serve_forks(char* label, int (*run_shim)());

}  // namespace taskd::shim
