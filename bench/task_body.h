// The task used to measure submits, as sent to the API and as stored, so that the daemon and plain
// SQLite write the same rows. Pure functions.
#pragma once

#include <string>

namespace taskd::bench {

// About 200 bytes of JSON, like a typical user's task; it runs `true`.
std::string typical_task(int priority);
// The contents of the column task_specs.spec for it.
std::string typical_task_stored();

// {"tasks":[task, task, …]}
std::string bulk_of(const std::string& task, int count);

}  // namespace taskd::bench
