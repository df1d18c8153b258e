// The command's own cgroup (v2), if there is one. The shim stays outside it.
#pragma once

#include "daemon/process/shim/fd.h"

namespace taskd::shim {

class Cgroup {
 public:
  // `path` may be "": then there is no cgroup, and nothing below does anything. Returns 0 or errno.
  int open(const char* path);
  explicit operator bool() const { return static_cast<bool>(folder_); }
  int folder() const { return folder_.get(); }

  // Has POLLPRI when populated() may have changed since the last call.
  int events() const { return events_.get(); }
  bool populated() const;
  // Kills everything in it at once. Returns false if the kernel cannot (before 5.14).
  bool kill() const;
  bool had_oom_kill() const;
  void remove() const;

 private:
  const char* path_ = "";
  Fd folder_;
  Fd events_;
};

}  // namespace taskd::shim
