// A task's end as an exit code and in words. Pure functions.
#pragma once

#include <string>

#include "ctl/base/output.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

// The exit code of `wait`, `run` and `submit --wait` for an ended task: 0; the command's own code;
// 128+n for signal n; 124 for its timeout; 127 or 126 if the command was not found or could not
// start; 125 if there is no code: cancelled, lost, never begun.
int exit_code_of(const Task& task);

// The reason column: "exit 3", "SIGKILL", "timeout", "Folder /nosuch does not exist", "in 9s"; for
// a running task its progress. "" = nothing to add.
std::string describe_outcome(const Outcome& outcome);
std::string describe_reason(const Task& task);

// "45%, compiling", from the job's reports; "" = none.
std::string describe_progress(const Task& task);

Color color_of(State state);

// The command as it was typed, escaped if it contains characters that are unsafe on a terminal.
std::string describe_command(const TaskSpec& spec);

}  // namespace taskd::ctl
