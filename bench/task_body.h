// The task that submits are measured with, as the API takes it and as the store keeps it, so that
// the daemon and bare SQLite write the same rows. Pure functions.
#pragma once

#include <string>

namespace taskd::bench {

// About 200 bytes of JSON, as a user's task has; it runs `true`.
std::string typical_task(int priority);
// What the column task_specs.spec holds for it.
std::string typical_task_stored();

// {"tasks":[task, task, …]}
std::string bulk_of(const std::string& task, int count);

}  // namespace taskd::bench
