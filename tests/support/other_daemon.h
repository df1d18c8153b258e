// A second daemon for a test, on any state directory and with its own socket.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "tests/support/daemon.h"

namespace taskd::test {

// taskd on `state_dir` with these flags; the folder `place` holds its socket and settings.
std::vector<std::string> taskd_on(const std::string& state_dir, const TempDir& place,
                                  const std::vector<std::string>& more = {});

class OtherDaemon {
 public:
  // The constructor returns once it serves. The destructor kills it (SIGKILL) if it still runs.
  explicit OtherDaemon(const std::string& state_dir, const std::vector<std::string>& more = {});

  RunResult ctl(const std::vector<std::string>& args) const;
  RunResult stop();
  Child& child() { return *child_; }

 private:
  TempDir place_;
  std::unique_ptr<Child> child_;
};

}  // namespace taskd::test
