// Lists the attempts that have a folder (attempt_folder.h). Ignores names of another form;
// "missing" is never an error. Throws std::system_error. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "daemon/process/launcher.h"

namespace taskd {

// The numbers of the existing parent folders: n holds the ids from n * kTasksPerFolder on.
std::vector<std::int64_t> list_attempt_groups(int attempts_fd);
// The highest id of a task with a folder; 0 if there is none, or no such directory.
TaskId newest_task_with_folder(const std::string& attempts_dir);
// The attempts with a folder in this group, in no particular order.
std::vector<AttemptId> list_attempts(int attempts_fd, std::int64_t group);

}  // namespace taskd
