// Which attempts have a folder (attempt_folder.h). Names of another form are passed over; "missing"
// is never an error. Throws std::system_error. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/process/launcher.h"

namespace taskd {

// The folders of folders there are: n is that of the ids from n * kTasksPerFolder on.
std::vector<std::int64_t> list_attempt_groups(int attempts_fd);
// The highest id of a task that has a folder; 0 where there is none, or no such directory.
TaskId newest_task_with_folder(const std::string& attempts_dir);
// The attempts that have a folder in there, in no order.
std::vector<AttemptId> list_attempts(int attempts_fd, std::int64_t group);

}  // namespace taskd
