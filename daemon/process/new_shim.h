// A shim that was started and waits at its gate. Nothing runs until open_gate() has given it the
// whole spec; if this object goes before, the shim is killed and reaped.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "daemon/base/unique_fd.h"

namespace taskd {

class NewShim {
 public:
  // Starts `shim_path` with its lock and folder (see shim/protocol.h), in a session of its own, its
  // environment empty. `label` is what ps shows of it. Throws std::system_error.
  NewShim(const std::string& shim_path, const std::string& label, int lock_fd, int folder_fd);
  ~NewShim();
  NewShim(const NewShim&) = delete;
  NewShim& operator=(const NewShim&) = delete;

  pid_t pid() const { return pid_; }

  // Blocks while the pipe is full and the shim alive. Throws std::system_error; then the shim has
  // not got a whole spec and starts nothing.
  void open_gate(std::string_view spec);

  struct Handles {
    UniqueFd pidfd;
    UniqueFd gate;  // its write end
  };
  // After open_gate(): from now on the shim lives without this object.
  Handles release();

 private:
  UniqueFd gate_;
  UniqueFd pidfd_;
  pid_t pid_ = -1;
};

}  // namespace taskd
