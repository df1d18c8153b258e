#include "daemon/hooks/poll_deadline.h"

#include <poll.h>

#include <algorithm>
#include <climits>

#include "daemon/base/errors.h"

namespace taskd {

HookDeadline HookDeadline::share(std::int64_t parts) const {
  return HookDeadline(std::max<std::int64_t>(deadline_ - clock_.boot_now(), 0) / parts, stop_fd_);
}

HookDeadline::Wait HookDeadline::wait_for(int fd, short events, int other_fd) const {
  for (;;) {
    const std::int64_t left_ms = deadline_ - clock_.boot_now();
    if (left_ms <= 0) return Wait::timed_out;
    pollfd fds[] = {{stop_fd_, POLLIN, 0}, {fd, events, 0}, {other_fd, POLLIN, 0}};
    const int ready = ::poll(fds, 3, static_cast<int>(std::min<std::int64_t>(left_ms, INT_MAX)));
    if (ready < 0 && errno != EINTR) throw_errno("poll for a hook");
    if (ready <= 0) continue;
    return fds[0].revents != 0 ? Wait::stopped : Wait::ready;
  }
}

}  // namespace taskd
