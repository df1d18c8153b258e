// One daemon per state directory: the directory itself and a file in it, `lock`, are held by flock
// for the process's life. The kernel lets go of them however the daemon dies, so a held lock is
// proof of a live daemon. The directory is enough, also when somebody removes the file; the file
// names the daemon, and keeps out those of versions that know nothing else.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd {

class InstanceLock {
 public:
  // Takes the locks and writes our pid into the file for people to read. Throws UsageError: 75 when
  // another daemon holds one (naming its pid), 73 when they cannot be opened or made.
  explicit InstanceLock(const std::string& directory);

 private:
  UniqueFd directory_;
  UniqueFd file_;
};

}  // namespace taskd
