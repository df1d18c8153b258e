// Waiting for tasks to end, through long requests; the daemon may be restarted meanwhile.
#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

struct WaitOptions {
  std::optional<std::int64_t> timeout_ms;
  bool progress = true;  // a line on stderr, if that is a terminal
};

// How many of the tasks that were waited for there were, and how many of these have succeeded. Of
// an array also tasks that were removed meanwhile.
struct WaitResult {
  std::size_t count = 0;
  std::size_t succeeded = 0;
};

// Returns once all tasks that the names mean have ended. Throws Failure 75 at the timeout, 66 when
// one of them does not exist (or not any more).
WaitResult wait_for_names(Context& context, const Client& client,
                          const std::vector<std::string>& names, const WaitOptions& options);

// The same for tasks by their ids; returns them as the API answers them, in the order of `ids`.
std::vector<nlohmann::json> wait_for_tasks(Context& context, const Client& client,
                                           const std::vector<TaskId>& ids,
                                           const WaitOptions& options);

// Of answers of wait_for_tasks: the task's own code, or of several whether all have succeeded.
int exit_code_of_all(const std::vector<nlohmann::json>& answers);
// Says which did not succeed, and why: an exit code does not tell. `more`: of which `answers` holds
// only some.
void say_failures(Context& context, const std::vector<nlohmann::json>& answers,
                  std::size_t more = 0);

}  // namespace taskd::ctl
