// Waiting inside a request, for a task's change or its output, while the client is connected.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "daemon/api/http/connection.h"
#include "daemon/base/unique_fd.h"

namespace taskd {

// Becomes readable whenever the output of one attempt may have grown, even before its folder
// exists. Not thread-safe.
class OutputWatch {
 public:
  // `attempt_dir` lies two levels below `attempts_dir`. Throws std::system_error.
  OutputWatch(const std::string& attempts_dir, const std::string& attempt_dir);

  int fd() const { return inotify_.get(); }
  // Resets the watch: anything written after this call makes fd() readable. Call it first, then
  // read the output.
  void clear();

 private:
  static constexpr std::size_t kLevels = 3;
  void watch_deepest();

  UniqueFd inotify_;
  std::string folders_[kLevels];  // the attempt's own folder first, then its parent …
  std::size_t watched_ = kLevels;
  int watch_ = -1;
};

struct Wakeup {
  bool client_gone = false;
  bool first = false;  // which of the two is readable
  bool second = false;
};

// Blocks until one of the descriptors is readable (-1: none), the client is gone, or the deadline
// has passed (nothing = never).
Wakeup wait_for_any(const HttpConnection& connection, int first, int second,
                    std::optional<std::int64_t> timeout_ms);

}  // namespace taskd
