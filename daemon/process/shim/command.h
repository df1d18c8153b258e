// Starting the command: the only code that runs between fork and exec.
#pragma once

#include <sys/types.h>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/spec.h"

namespace taskd::shim {

// A step that failed; step "" = none did. Where the task's owner is to mend something, a sentence
// that names it stands in place of the step.
struct Failure {
  const char* step = "";
  int error = 0;
  explicit operator bool() const { return error != 0; }
};

struct Command {
  pid_t pid = -1;
  Fd out;  // what it prints
  Fd err;
  Fd report;  // whether it came as far as exec: see read_report()
};

// Forks the command, into the cgroup of `cgroup_fd` unless that is -1. A failure here is the
// machine's; what the task asks for and cannot have is in the report.
Failure start_command(const Spec& spec, int cgroup_fd, Command& command);

// Which step between fork and exec failed. Call after the command was reaped.
Failure read_report(const Command& command);

}  // namespace taskd::shim
