#include "daemon/process/leftovers.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <sstream>
#include <vector>

#include "daemon/base/digest.h"
#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/unique_fd.h"
#include "daemon/process/launcher.h"
#include "daemon/process/shim/protocol.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxEnvironBytes = 8 << 20;

// A process in the middle of exec has, for a moment, no environment to read: so nothing is believed
// to be left only after this many passes in a row.
constexpr int kEmptyPasses = 3;

bool has_secret_of(const std::string& environ_bytes, const std::string& token) {
  constexpr std::string_view kName = "TASKD_TOKEN=";
  for (std::size_t at = environ_bytes.find(kName); at != std::string::npos;
       at = environ_bytes.find(kName, at + 1)) {
    if (at > 0 && environ_bytes[at - 1] != '\0') continue;
    // Up to the NUL, or to the end of what was read.
    if (token_of(environ_bytes.c_str() + at + kName.size()) == token) return true;
  }
  return false;
}

// False too for what cannot be read: another user's process, or one that is gone.
bool carries(const char* pid, const std::string& token) {
  try {
    const auto bytes = read_file(std::string("/proc/") + pid + "/environ", kMaxEnvironBytes);
    return bytes && has_secret_of(*bytes, token);
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
    return false;
  }
}

struct Process {
  pid_t pid = 0;
  char state = 0;
  pid_t parent = 0;
  pid_t session = 0;
  std::uint64_t start = 0;
  bool ours = false;
};

// Nothing when it is gone.
std::optional<Process> look_at(const char* pid) {
  std::optional<std::string> stat;
  try {
    stat = read_file(std::string("/proc/") + pid + "/stat", 1024);
  } catch (const std::system_error& e) {
    if (is_shortage(e)) throw;
  }
  if (!stat) return std::nullopt;
  // "pid (name) state ppid pgrp session …"; the name may hold anything, but nothing after it holds
  // a ')'. The start is the twentieth word after it.
  const std::size_t name_end = stat->rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  std::istringstream words(stat->substr(name_end + 1));
  Process process{.pid = static_cast<pid_t>(std::atoi(pid))};
  std::string skipped;
  words >> process.state >> process.parent >> skipped >> process.session;
  for (int word = 5; word < 20; ++word) words >> skipped;
  words >> process.start;
  return words ? std::optional(process) : std::nullopt;
}

// A shim is known by its descriptors (shim/protocol.h), whatever became of its lock file.
bool is_shim_of(const char* pid, int folder_fd) {
  const std::string fd = "/proc/" + std::string(pid) + "/fd/" + std::to_string(shim::kFolderFd);
  struct stat ours {};
  struct stat its {};
  if (::fstat(folder_fd, &ours) != 0 || ::stat(fd.c_str(), &its) != 0 ||
      ours.st_dev != its.st_dev || ours.st_ino != its.st_ino) {
    return false;
  }
  const auto name = read_file(std::string("/proc/") + pid + "/comm", 64);
  return name && *name == "taskd-shim\n";
}

// All there are but the dead that nobody has waited for yet.
std::vector<Process> list_processes() {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(::opendir("/proc"), ::closedir);
  if (!proc) throw_errno("open /proc");
  std::vector<Process> all;
  while (const dirent* item = ::readdir(proc.get())) {
    if (*item->d_name < '1' || *item->d_name > '9') continue;
    const auto process = look_at(item->d_name);
    if (process && process->state != 'Z' && process->state != 'X') all.push_back(*process);
  }
  return all;
}

// /proc lists pids in rising order, so this may halve.
const Process* find(const std::vector<Process>& all, pid_t pid) {
  const auto at = std::ranges::lower_bound(all, pid, {}, &Process::pid);
  return at != all.end() && at->pid == pid ? &*at : nullptr;
}

// Whether the session is the attempt's own: its number may have been given to another since.
bool session_is_ours(const std::vector<Process>& all, const Marks& marks) {
  if (marks.session == 0) return false;
  const Process* leader = find(all, marks.session);
  return leader == nullptr || leader->start == marks.session_start;
}

bool is_marked(const Process& process, const Marks& marks, bool by_session) {
  if (by_session && process.session == marks.session && process.start >= marks.session_start) {
    return true;
  }
  const std::string pid = std::to_string(process.pid);
  if (marks.folder_fd >= 0 && is_shim_of(pid.c_str(), marks.folder_fd)) return true;
  return !marks.token.empty() && carries(pid.c_str(), marks.token);
}

// Until nothing new is found: a child may well have a lower pid than its parent.
void mark_descendants(std::vector<Process>& all) {
  for (bool found = true; found;) {
    found = false;
    for (Process& process : all) {
      if (process.ours) continue;
      const Process* parent = find(all, process.parent);
      process.ours = parent != nullptr && parent->ours;
      found = found || process.ours;
    }
  }
}

std::vector<Process> find_leftovers(const Marks& marks, const ForkServer::Family& family) {
  std::vector<Process> all = list_processes();
  const bool by_session = session_is_ours(all, marks);
  for (Process& process : all) {
    // Its only children are shims and what dead ones left.
    const bool orphan =
        family.server > 0 && process.parent == family.server && !family.shims.contains(process.pid);
    process.ours = orphan || is_marked(process, marks, by_session);
  }
  mark_descendants(all);
  std::erase_if(all, [](const Process& process) { return !process.ours; });
  return all;
}

// SIGKILL for each that is still the one that was looked at. Returns what to wait for.
std::vector<UniqueFd> kill_all(const std::vector<Process>& processes) {
  std::vector<UniqueFd> killed;
  for (const Process& process : processes) {
    UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
    if (!pidfd && errno != ESRCH) throw_errno("pidfd_open");
    const auto now = look_at(std::to_string(process.pid).c_str());
    if (!pidfd || !now || now->start != process.start) continue;
    // Fails only for a process that is gone, or that became another user's: it is waited for.
    ::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0);
    killed.push_back(std::move(pidfd));
  }
  return killed;
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

// Throws EBUSY when there is nothing to read after kEndTimeout.
void wait_readable(int fd, short events, const char* what) {
  constexpr std::chrono::seconds kEndTimeout{5};
  const auto deadline = std::chrono::steady_clock::now() + kEndTimeout;
  pollfd slot{fd, events, 0};
  for (;;) {
    const auto left =
        std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now());
    const int ready = ::poll(&slot, 1, static_cast<int>(std::max<std::int64_t>(left.count(), 0)));
    if (ready > 0) return;
    if (ready < 0 && errno == EINTR) continue;
    if (ready == 0) errno = EBUSY;
    throw_errno(what);
  }
}

}  // namespace

void wait_for_exit(int pidfd) {
  wait_readable(pidfd, POLLIN, "wait for the end of a process");
}

pid_t find_shim(int folder_fd) {
  for (const Process& process : list_processes()) {
    if (is_shim_of(std::to_string(process.pid).c_str(), folder_fd)) return process.pid;
  }
  return 0;
}

bool kill_leftovers(const Marks& marks, ForkServer* server) {
  bool any = false;
  for (int empty_passes = 0; empty_passes < kEmptyPasses;) {
    std::vector<UniqueFd> killed;
    const auto pass = [&](const ForkServer::Family& family) {
      killed = kill_all(find_leftovers(marks, family));
    };
    server != nullptr ? server->hold_family(pass) : pass({});
    any |= !killed.empty();
    empty_passes = killed.empty() ? empty_passes + 1 : 0;
    for (const UniqueFd& pidfd : killed) wait_for_exit(pidfd.get());
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
    wait_readable(events.get(), POLLPRI, "wait for the end of a cgroup");
  }
  // Stays where the command made cgroups inside; an empty cgroup harms nobody.
  if (::rmdir(path.c_str()) != 0 && errno != ENOENT && errno != ENOTEMPTY && errno != EBUSY) {
    throw_errno("remove cgroup " + path);
  }
}

}  // namespace taskd
