// Shows what a task's start depends on.
#pragma once

#include "ctl/view/lines.h"
#include "daemon/task/start_constraints.h"

namespace taskd::ctl {

// Adds a line for each constraint that is not the default.
void add_constraints(Lines& lines, const StartConstraints& constraints);

}  // namespace taskd::ctl
