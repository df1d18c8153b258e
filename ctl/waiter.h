// Waiting for tasks to end, through long requests; the daemon may be restarted meanwhile.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <vector>

#include "ctl/client.h"
#include "ctl/context.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

struct WaitOptions {
  std::optional<std::int64_t> timeout_ms;
  bool progress = true;  // a line on stderr, if that is a terminal
};

// Returns the tasks as the API answers them once all have ended, in the order of `ids`. Throws
// Failure 75 at the timeout, 66 when one of them does not exist (or not any more).
std::vector<nlohmann::json> wait_for_tasks(Context& context, const Client& client,
                                           const std::vector<TaskId>& ids,
                                           const WaitOptions& options);

// Of answers of wait_for_tasks: the task's own code, or of several whether all have succeeded.
int exit_code_of_all(const std::vector<nlohmann::json>& answers);
// Says which did not succeed, and why: an exit code does not tell.
void say_failures(Context& context, const std::vector<nlohmann::json>& answers);

}  // namespace taskd::ctl
