// A temporary folder for a test, removed with its contents.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "daemon/base/errors.h"

namespace taskd::test {

class TempDir {
 public:
  // In `parent`, with `mode`: tests with several users let the others enter.
  explicit TempDir(const std::filesystem::path& parent = std::filesystem::temp_directory_path(),
                   unsigned mode = 0700)
      : path_((parent / "taskd-test-XXXXXX").string()) {
    if (::mkdtemp(path_.data()) == nullptr) throw_errno("mkdtemp " + path_);
    std::filesystem::permissions(path_, static_cast<std::filesystem::perms>(mode));
  }
  ~TempDir() {
    std::error_code ignored;  // a failed test may have left files that cannot be removed
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  const std::string& path() const { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

}  // namespace taskd::test
