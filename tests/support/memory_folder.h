// A folder in memory for files that need not survive: tests with thousands of commits would
// otherwise spend most of their time waiting for the disk.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>

namespace taskd {

inline std::string memory_folder() {
  constexpr const char* kShared = "/dev/shm";
  if (::access(kShared, W_OK | X_OK) == 0) return kShared;
  return std::filesystem::temp_directory_path();
}

}  // namespace taskd
