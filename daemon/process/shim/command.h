// Starts the command: the only code that runs between fork and exec.
#pragma once

#include <sys/types.h>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/spec.h"

namespace taskd::shim {

// A failed step; step "" = no failure. If the task's owner must fix something, a sentence that
// names it replaces the step.
struct Failure {
  const char* step = "";
  int error = 0;
  explicit operator bool() const { return error != 0; }
};

struct Command {
  pid_t pid = -1;
  Fd out;  // read end of the command's output
  Fd err;
  Fd report;  // reports whether it reached exec: see read_report()
};

// Forks the command, into the cgroup of `cgroup_fd` unless that is -1. A failure here is the
// machine's; failures because of the task's spec are in the report.
Failure start_command(const Spec& spec, int cgroup_fd, Command& command);

// Returns which step between fork and exec failed. Call after the command was reaped.
Failure read_report(const Command& command);

}  // namespace taskd::shim
