// Handlers as taskctl shows them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

#include "ctl/base/context.h"
#include "ctl/view/lines.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

// `answer` is that of GET /v1/handlers. Throws Failure when this version cannot read it.
void print_handlers(Context& context, const Painter& paint, const nlohmann::json& answer);

// The handler of a task and, as much of it as a person reads, its payload.
void add_handler(Lines& lines, const TaskSpec& spec);

}  // namespace taskd::ctl
