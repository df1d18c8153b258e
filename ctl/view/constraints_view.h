// What binds a task's start to others, as people read it.
#pragma once

#include "ctl/view/lines.h"
#include "daemon/task/start_constraints.h"

namespace taskd::ctl {

// Adds a line for each thing that is not as usual.
void add_constraints(Lines& lines, const StartConstraints& constraints);

}  // namespace taskd::ctl
