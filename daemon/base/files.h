// Small file helpers with the errors owned. All throw std::system_error naming the path.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "daemon/base/unique_fd.h"

namespace taskd {

// The whole file, or nothing when it does not exist. At most `max_bytes` are read.
std::optional<std::string> read_file(const std::string& path, std::size_t max_bytes);
std::optional<std::string> read_file_at(int dir_fd, const std::string& name, std::size_t max_bytes);
// From where the descriptor stands; `what` names it in an error.
std::string read_up_to(int fd, std::size_t max_bytes, const std::string& what);

// What lies in the folder, in no order. A missing folder reads as empty; a link is not followed.
std::vector<std::string> list_folder_at(int dir_fd, const std::string& name);

// Creates `path` and its missing parents with `mode`, whatever the umask. An existing folder is
// left as it is.
void make_dirs(const std::string& path, unsigned mode);

// Makes the folder's entry durable: syncs its parent and every folder above it that we may open.
void sync_parents(const std::string& path);

// The kernel's id of this boot, from /proc/sys/kernel/random/boot_id.
std::string read_boot_id();

}  // namespace taskd
