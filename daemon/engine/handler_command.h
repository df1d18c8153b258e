// What an attempt starts: the command of its task, or that of its handler as the configuration has
// it now. Pure.
#pragma once

#include <optional>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

// Of a handler also TASKD_HANDLER and, as a file and as stdin, the payload: `null` where the submit
// had none. The claim outlives the launch. Nothing: the handler is not declared (any more).
std::optional<Launch> launch_of(const Claim& claim, const Handlers& handlers);

}  // namespace taskd
