// Waits for tasks to end, with long requests; survives restarts of the daemon.
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
  bool progress = true;  // show a progress line on stderr, if that is a terminal
};

// How many tasks were waited for, and how many succeeded. For an array, includes tasks removed in
// the meantime.
struct WaitResult {
  std::size_t count = 0;
  std::size_t succeeded = 0;
};

// Returns once all named tasks have ended. Throws Failure: 75 at the timeout, 66 if one of them
// does not exist (any more).
WaitResult wait_for_names(Context& context, const Client& client,
                          const std::vector<std::string>& names, const WaitOptions& options);

// The same for tasks by id; returns them as the API answers, in the order of `ids`.
std::vector<nlohmann::json> wait_for_tasks(Context& context, const Client& client,
                                           const std::vector<TaskId>& ids,
                                           const WaitOptions& options);

// The exit code for answers of wait_for_tasks(): a single task's own code, or for several whether
// all succeeded.
int exit_code_of_all(const std::vector<nlohmann::json>& answers);
// Prints which tasks did not succeed, and why. `more`: how many of these are not in `answers`.
void say_failures(Context& context, const std::vector<nlohmann::json>& answers,
                  std::size_t more = 0);

}  // namespace taskd::ctl
