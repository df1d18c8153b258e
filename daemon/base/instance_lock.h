// Allows one daemon per state directory. The daemon holds flocks on the directory and on the file
// `lock` in it for as long as the process lives. The kernel releases them however the daemon dies,
// so a held lock proves a live daemon. The lock on the directory suffices, even if somebody removes
// the file. The file names the daemon, and keeps out older versions that lock only the file.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd {

class InstanceLock {
 public:
  // Takes the locks and writes our pid into the file for people to read. Throws UsageError: 75 when
  // another daemon holds a lock (naming its pid), 73 when they cannot be opened or created.
  explicit InstanceLock(const std::string& directory);

 private:
  UniqueFd directory_;
  UniqueFd file_;
};

}  // namespace taskd
