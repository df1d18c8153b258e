#include "daemon/base/instance_lock.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sysexits.h>

#include <climits>
#include <cstring>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

constexpr int kLooks = 200;
constexpr int kLookMs = 10;

std::string pid_in(const std::string& path) {
  std::string pid = read_file(path, 32).value_or("");
  while (!pid.empty() && pid.back() == '\n') pid.pop_back();
  return pid;
}

// False for a zombie, too, which holds nothing any more.
bool is_alive(const std::string& pid) {
  const auto number = parse_int(pid);
  if (!number || *number <= 0 || *number > INT_MAX) return false;
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, static_cast<pid_t>(*number), 0)));
  if (!pidfd) return errno != ESRCH;
  pollfd ended{pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, 0) == 0;
}

// A daemon that was killed while it spawned leaves a child that holds every descriptor, including
// this lock, until its exec a moment later. So if the owner of a held lock is dead, try again.
void take(int fd, const std::string& path, const std::string& pid_file) {
  for (int look = 0; ::flock(fd, LOCK_EX | LOCK_NB) != 0; ++look) {
    if (errno != EWOULDBLOCK) {
      throw UsageError(EX_CANTCREAT, "cannot lock " + path + ": " + std::strerror(errno));
    }
    const std::string pid = pid_in(pid_file);
    if (look == kLooks || is_alive(pid)) {
      throw UsageError(EX_TEMPFAIL, "another taskd" + (pid.empty() ? "" : " (pid " + pid + ")") +
                                        " already serves this state directory: it holds " + path);
    }
    ::poll(nullptr, 0, kLookMs);
  }
}

}  // namespace

InstanceLock::InstanceLock(const std::string& directory)
    : directory_(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (!directory_) {
    throw UsageError(EX_CANTCREAT, "cannot open " + directory + ": " + std::strerror(errno));
  }
  const std::string path = directory + "/lock";
  take(directory_.get(), directory, path);
  file_.reset(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600));
  // No space for another file: the lock on the directory suffices.
  if (!file_ && (errno == ENOSPC || errno == EDQUOT)) return;
  if (!file_) {
    throw UsageError(EX_CANTCREAT,
                     "cannot open the lock file " + path + ": " + std::strerror(errno));
  }
  take(file_.get(), path, path);
  // Somebody may have restored it with another mode; it holds no secret.
  ::fchmod(file_.get(), 0600);
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(file_.get(), 0) != 0 ||
      ::pwrite(file_.get(), pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    // The pid is only for people; the lock itself counts. A full disk must not prevent a start.
  }
}

}  // namespace taskd
