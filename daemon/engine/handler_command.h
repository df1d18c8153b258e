// What an attempt starts: the command of its task, or that of its handler as the configuration has
// it now. Pure.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

// Of a handler also TASKD_HANDLER and, as a file and as stdin, the payload: `null` where the submit
// had none. The claim outlives the launch. `owner` is who had the task's uid when it was submitted.
// A sentence: why it may not start. The task was checked when it was written, but the
// configuration may have changed since.
std::variant<Launch, std::string> launch_of(const Claim& claim, const Handlers& handlers,
                                            const std::optional<KnownUser>& owner);

}  // namespace taskd
