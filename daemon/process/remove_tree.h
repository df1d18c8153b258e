// Removes whatever a job left in one of our folders. Thread-safe.
#pragma once

#include <cstdint>

namespace taskd {

// Removes the entry and, if it is a folder, its contents at any depth. Never follows symbolic links
// or enters another file system. A missing entry is ignored. Returns how many bytes the files took
// on disk. Throws std::system_error for what cannot be removed.
std::int64_t remove_tree_at(int folder_fd, const char* name);

}  // namespace taskd
