// Shows handlers.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ctl/base/context.h"
#include "ctl/view/lines.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

// `answer` comes from GET /v1/handlers. Throws Failure if it cannot be parsed.
void print_handlers(Context& context, const Painter& paint, const nlohmann::json& answer);

// A task's handler and payload, which is cut if it is long.
void add_handler(Lines& lines, const TaskSpec& spec);

}  // namespace taskd::ctl
