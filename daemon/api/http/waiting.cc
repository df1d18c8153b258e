#include "daemon/api/http/waiting.h"

#include <poll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <limits>

#include "daemon/base/errors.h"

namespace taskd {

OutputWatch::OutputWatch(const std::string& attempts_dir, const std::string& attempt_dir)
    : inotify_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)),
      folders_{attempt_dir, std::filesystem::path(attempt_dir).parent_path(), attempts_dir} {
  if (!inotify_) throw_errno("inotify_init1");
}

void OutputWatch::clear() {
  alignas(inotify_event) std::array<char, 4096> events;
  // Ends with EAGAIN. The events themselves do not matter.
  while (::read(inotify_.get(), events.data(), events.size()) > 0) {
  }
  watch_deepest();
}

// A folder may appear between two checks, so it checks again below each folder that it watches.
void OutputWatch::watch_deepest() {
  for (std::size_t level = 0; level < watched_; ++level) {
    const int watch =
        ::inotify_add_watch(inotify_.get(), folders_[level].c_str(),
                            IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_ONLYDIR | IN_DONT_FOLLOW);
    if (watch < 0) {
      // ENOTDIR: the job replaced the folder, and there will be no output.
      if (errno != ENOENT && errno != ENOTDIR) throw_errno("inotify_add_watch " + folders_[level]);
      continue;
    }
    if (watch_ >= 0) ::inotify_rm_watch(inotify_.get(), watch_);
    watch_ = watch;
    watched_ = level;
    if (level > 0) watch_deepest();
    return;
  }
}

Wakeup wait_for_any(const HttpConnection& connection, int first, int second,
                    std::optional<std::int64_t> timeout_ms) {
  constexpr std::int64_t kMax = std::numeric_limits<int>::max();
  const int timeout =
      timeout_ms ? static_cast<int>(std::clamp<std::int64_t>(*timeout_ms, 0, kMax)) : -1;
  // Asks for no events on the connection: then only a full close is reported, not a half-close.
  std::array<pollfd, 3> fds = {{{connection.fd(), 0, 0}, {first, POLLIN, 0}, {second, POLLIN, 0}}};
  if (::poll(fds.data(), fds.size(), timeout) < 0) {
    if (errno != EINTR) throw_errno("poll");
    return {};
  }
  return {fds[0].revents != 0, fds[1].revents != 0, fds[2].revents != 0};
}

}  // namespace taskd
