// Tasks as the table that `list` shows.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/base/output.h"

namespace taskd::ctl {

// Prints the tasks, as the API answers them. On a terminal the table is cut to fit.
void print_tasks(Context& context, const Painter& paint,
                 const std::vector<nlohmann::json>& documents);

}  // namespace taskd::ctl
