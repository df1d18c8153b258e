// How long one try of a hook may take: until its deadline, or until the daemon stops.
//
// One thread. The time is the machine's own, not the daemon's Clock, since what is waited for is.
#pragma once

#include <cstdint>

#include "daemon/base/clock.h"

namespace taskd {

class HookDeadline {
 public:
  // `stop_fd` becomes readable when the daemon stops, and stays so.
  HookDeadline(std::int64_t timeout_ms, int stop_fd)
      : deadline_(clock_.boot_now() + timeout_ms), stop_fd_(stop_fd) {}

  // One that has its part of the time that is left.
  HookDeadline share(std::int64_t parts) const;

  enum class Wait { ready, timed_out, stopped };
  // Until `fd` has one of the poll `events`, or `other_fd` (-1: none) can be read. Throws
  // std::system_error.
  Wait wait_for(int fd, short events, int other_fd = -1) const;

 private:
  const SystemClock clock_{};
  const BootTime deadline_;
  const int stop_fd_;
};

}  // namespace taskd
