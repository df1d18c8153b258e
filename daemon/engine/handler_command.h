// What an attempt runs: its task's own command, or its handler's command from the current
// configuration. Pure.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "daemon/process/launcher.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

// Returns the launch, or a sentence saying why the task may not start: it was checked when it was
// submitted, but the configuration may have changed. With a handler, also sets TASKD_HANDLER and
// provides the payload as a file and as stdin (`null` without one). `owner` is the user who had the
// task's uid when it was submitted. The claim must outlive the launch.
std::variant<Launch, std::string> launch_of(const Claim& claim, const Handlers& handlers,
                                            const std::optional<KnownUser>& owner);

}  // namespace taskd
