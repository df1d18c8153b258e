#include "daemon/process/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>

#include <cstring>
#include <memory>
#include <vector>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/unique_fd.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxEnvironBytes = 8 << 20;

// A process in the middle of exec has, for a moment, no environment to read: so nothing is believed
// to be left only after this many passes in a row.
constexpr int kEmptyPasses = 3;

bool has_entry(const std::string& environ_bytes, const std::string& entry) {
  for (std::size_t at = environ_bytes.find(entry); at != std::string::npos;
       at = environ_bytes.find(entry, at + 1)) {
    const std::size_t end = at + entry.size();
    const bool begins = at == 0 || environ_bytes[at - 1] == '\0';
    const bool ends = end == environ_bytes.size() || environ_bytes[end] == '\0';
    if (begins && ends) return true;
  }
  return false;
}

// False too for what may not be read: another user's process, or one that is gone.
bool carries(const char* pid, const std::string& entry) {
  try {
    const auto bytes = read_file(std::string("/proc/") + pid + "/environ", kMaxEnvironBytes);
    return bytes && has_entry(*bytes, entry);
  } catch (const std::system_error& e) {
    const int error = e.code().value();
    if (error == EACCES || error == EPERM || error == ESRCH) return false;
    throw;
  }
}

std::vector<UniqueFd> find_processes(const std::string& entry) {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) throw_errno("open /proc");
  std::vector<UniqueFd> found;
  while (const dirent* item = ::readdir(proc.get())) {
    const char* name = item->d_name;
    if (*name < '1' || *name > '9' || !carries(name, entry)) continue;
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, std::atoi(name), 0)));
    if (!pidfd && errno != ESRCH) throw_errno("pidfd_open");
    // Asked again: the first answer may have been about an earlier owner of the pid.
    if (pidfd && carries(name, entry)) found.push_back(std::move(pidfd));
  }
  return found;
}

// Nothing when it is empty. A cgroup that is removed meanwhile, by whoever manages them, was empty:
// its files cannot be opened any more (ENOENT) or are dead (ENODEV).
UniqueFd kill_cgroup(int folder, const std::string& path) {
  const auto gone_or_throw = [&](const char* what) {
    if (errno != ENOENT && errno != ENODEV) throw_errno(what + (" of " + path));
    return UniqueFd();
  };
  UniqueFd events(::openat(folder, "cgroup.events", O_RDONLY | O_CLOEXEC));
  const UniqueFd kill(::openat(folder, "cgroup.kill", O_WRONLY | O_CLOEXEC));
  if (!events || !kill) return gone_or_throw("open the files");
  char text[256] = {};
  if (::pread(events.get(), text, sizeof text - 1, 0) < 0) return gone_or_throw("read the events");
  if (std::strstr(text, "populated 1") == nullptr) return UniqueFd();
  if (::write(kill.get(), "1", 1) != 1) return gone_or_throw("write the kill");
  return events;
}

void wait_readable(int fd, short events) {
  pollfd slot{fd, events, 0};
  while (::poll(&slot, 1, -1) < 0) {
    if (errno != EINTR) throw_errno("poll");
  }
}

}  // namespace

void wait_for_exit(int pidfd) {
  wait_readable(pidfd, POLLIN);
}

bool kill_processes_with_token(const std::string& token) {
  const std::string entry = "TASKD_TOKEN=" + token;
  bool any = false;
  for (int empty_passes = 0; empty_passes < kEmptyPasses;) {
    const std::vector<UniqueFd> found = find_processes(entry);
    any |= !found.empty();
    empty_passes = found.empty() ? empty_passes + 1 : 0;
    // Fails only for a process that is gone, or that became another user's and ends by itself.
    for (const UniqueFd& pidfd : found) {
      ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    }
    for (const UniqueFd& pidfd : found) wait_for_exit(pidfd.get());
  }
  return any;
}

void end_cgroup(const std::string& path) {
  const UniqueFd folder(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!folder) {
    if (errno == ENOENT) return;
    throw_errno("open cgroup " + path);
  }
  while (const UniqueFd events = kill_cgroup(folder.get(), path)) {
    wait_readable(events.get(), POLLPRI);
  }
  // Stays where the command made cgroups inside; an empty cgroup harms nobody.
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY) {
    throw_errno("remove cgroup " + path);
  }
}

}  // namespace taskd
