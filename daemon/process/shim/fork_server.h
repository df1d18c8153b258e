// The fork server: the only taskd-shim that is exec'ed. It forks a shim for each request and knows
// nothing about attempts. Single-threaded; protocol.h documents its requests and replies.
#pragma once

namespace taskd::shim {

// Serves requests until the daemon is gone, then ends the process. `label` is this process's own
// argument, as long as kServerArgument. Each fork overwrites it with its label, takes the
// descriptors of protocol.h, becomes a session leader, and exits with what `run_shim` returns.
//
// Requires that descriptors above 2 are closed.
[[noreturn]] void serve_forks(char* label, int (*run_shim)());

}  // namespace taskd::shim
