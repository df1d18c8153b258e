// Small file helpers. All throw std::system_error naming the path.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"

namespace taskd {

// Reads at most `max_bytes` of the file. Returns nothing if it does not exist.
std::optional<std::string> read_file(const std::string& path, std::size_t max_bytes);
std::optional<std::string> read_file_at(int dir_fd, const std::string& name, std::size_t max_bytes);
// Reads from the descriptor's current position; `what` names the file in errors.
std::string read_up_to(int fd, std::size_t max_bytes, const std::string& what);

// The names in the folder, in no particular order. A missing folder reads as empty; symbolic links
// are not followed.
std::vector<std::string> list_folder_at(int dir_fd, const std::string& name);

// Creates `path` and its missing parents with `mode`, regardless of the umask. Leaves an existing
// folder unchanged.
void make_dirs(const std::string& path, unsigned mode);

// Makes the folder's entry durable: syncs its parent and every ancestor that we may open.
void sync_parents(const std::string& path);

// The kernel's id of this boot, from /proc/sys/kernel/random/boot_id.
std::string read_boot_id();

}  // namespace taskd
