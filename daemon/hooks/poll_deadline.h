// The time limit of one try of a hook: its deadline, or the moment when the daemon stops.
//
// Used by one thread. Uses the machine's real time, not the daemon's Clock, since it waits for the
// outside world.
#pragma once

#include <cstdint>

#include "daemon/base/clock.h"

namespace taskd {

class HookDeadline {
 public:
  // `stop_fd` becomes readable when the daemon stops, and stays readable.
  HookDeadline(std::int64_t timeout_ms, int stop_fd)
      : deadline_(clock_.boot_now() + timeout_ms), stop_fd_(stop_fd) {}

  // A deadline with a fraction, 1 / `parts`, of the remaining time.
  HookDeadline share(std::int64_t parts) const;

  enum class Wait { ready, timed_out, stopped };
  // Waits until `fd` has one of the poll `events`, or `other_fd` (-1: none) is readable. Throws
  // std::system_error.
  Wait wait_for(int fd, short events, int other_fd = -1) const;

 private:
  const SystemClock clock_{};
  const BootTime deadline_;
  const int stop_fd_;
};

}  // namespace taskd
