// One daemon per state directory: a lock file held by flock for the process's life. The kernel
// lets go of it however the daemon dies, so a held lock is proof of a live daemon.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd {

class InstanceLock {
 public:
  // Takes the lock and writes our pid into the file for people to read. Throws UsageError: 75 when
  // another daemon holds it (naming its pid), 73 when the file cannot be opened.
  explicit InstanceLock(const std::string& path);

 private:
  UniqueFd fd_;
};

}  // namespace taskd
