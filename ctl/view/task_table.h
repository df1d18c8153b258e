// The table of tasks for `list`.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/base/output.h"

namespace taskd::ctl {

// Prints tasks from an API answer. Fits the table to a terminal.
void print_tasks(Context& context, const Painter& paint,
                 const std::vector<nlohmann::json>& documents);

}  // namespace taskd::ctl
