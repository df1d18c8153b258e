// What binds a task's start to others, as people read it.
#pragma once

#include "ctl/view/lines.h"
#include "daemon/task/task_flow.h"

namespace taskd::ctl {

// Adds a line for each thing that is not as usual.
void add_flow(Lines& lines, const TaskFlow& flow);

}  // namespace taskd::ctl
