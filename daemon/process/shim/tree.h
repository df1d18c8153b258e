// The shim's descendants. The shim is their subreaper, so whatever they do (setsid, a double fork),
// their chain of parents always ends at the shim.
#pragma once

#include <sys/types.h>

namespace taskd::shim {

enum class Ancestry { descendant, stranger, gone };

// Whether the process descends from this one. Works for zombies, too.
Ancestry ancestry_of(pid_t pid);

// One pass over /proc: sends `signal` to every living descendant of this process. It may miss a
// process born during the pass, so for SIGKILL repeat until waitpid() returns ECHILD.
void signal_descendants(int signal);

}  // namespace taskd::shim
