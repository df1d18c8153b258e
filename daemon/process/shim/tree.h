// The shim's descendants. The shim is their subreaper, so whatever they do (setsid, a double fork)
// each of them has a line of parents that ends at the shim.
#pragma once

#include <sys/types.h>

namespace taskd::shim {

enum class Ancestry { descendant, stranger, gone };

// Whether the process descends from this one. A zombie still tells.
Ancestry ancestry_of(pid_t pid);

// One pass over /proc: sends `signal` to every living descendant of this process. A process born
// during the pass may be missed, so for SIGKILL repeat until waitpid() says ECHILD.
void signal_descendants(int signal);

}  // namespace taskd::shim
