// The command's own cgroup (v2), where there is one. The shim itself stays outside of it.
#pragma once

#include "daemon/process/shim/fd.h"

namespace taskd::shim {

class Cgroup {
 public:
  // `path` may be "": then there is none, and nothing below does anything. Returns 0 or errno.
  int open(const char* path);
  explicit operator bool() const { return static_cast<bool>(folder_); }
  int folder() const { return folder_.get(); }

  // Has POLLPRI when populated() may have changed since it was last called.
  int events() const { return events_.get(); }
  bool populated() const;
  // Kills everything in it at once. False where the kernel cannot (before 5.14).
  bool kill() const;
  bool had_oom_kill() const;
  void remove() const;

 private:
  const char* path_ = "";
  Fd folder_;
  Fd events_;
};

}  // namespace taskd::shim
