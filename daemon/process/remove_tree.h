// Removing what a job left in a folder of ours, whatever it made there. Thread-safe.
#pragma once

#include <cstdint>

namespace taskd {

// Removes the entry and, if it is a folder, all in it, however deep. Follows no link and never
// enters another file system. A missing entry is fine. Returns how much room the files took on
// the disk, in bytes. Throws std::system_error for what cannot be removed.
std::int64_t remove_tree_at(int folder_fd, const char* name);

}  // namespace taskd
