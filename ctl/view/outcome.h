// What a task's end means: as an exit code, and in words. Pure functions.
#pragma once

#include <string>

#include "ctl/base/output.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

// The code `wait`, `run` and `submit --wait` exit with for an ended task: 0; the command's own
// code; 128+n for signal n; 124 for its timeout; 127 or 126 where the command could not be found or
// started; 125 where there is no code: cancelled, lost, never begun.
int exit_code_of(const Task& task);

// The reason column: "exit 3", "SIGKILL", "timeout", "Folder /nosuch does not exist", "in 9s"; of
// a running task its progress. "" = nothing to add.
std::string describe_outcome(const Outcome& outcome);
std::string describe_reason(const Task& task);

// "45%, compiling" as the job told it; "" = nothing.
std::string describe_progress(const Task& task);

Color color_of(State state);

// For people: as it was typed, unless there is something in it that a terminal must not get.
std::string describe_command(const TaskSpec& spec);

}  // namespace taskd::ctl
