#include "daemon/process/shim/tree.h"

#include <dirent.h>
#include <signal.h>
#include <sys/types.h>

#include <cstdlib>
#include <cstring>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/text.h"

namespace taskd::shim {
namespace {

struct Process {
  pid_t pid;
  pid_t parent;
  bool ours;
};

// Grows as needed. Where memory is out, the pass is shorter; the caller repeats it.
class ProcessList {
 public:
  ~ProcessList() { std::free(items_); }

  bool add(Process process) {
    if (count_ == capacity_) {
      const std::size_t capacity = capacity_ == 0 ? 512 : capacity_ * 2;
      void* grown = std::realloc(items_, capacity * sizeof(Process));
      if (grown == nullptr) return false;
      items_ = static_cast<Process*>(grown);
      capacity_ = capacity;
    }
    items_[count_++] = process;
    return true;
  }

  // /proc lists pids in rising order, so this may halve.
  const Process* find(pid_t pid) const {
    std::size_t low = 0;
    std::size_t high = count_;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (items_[middle].pid < pid) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low < count_ && items_[low].pid == pid ? &items_[low] : nullptr;
  }

  Process* begin() { return items_; }
  Process* end() { return items_ + count_; }

 private:
  Process* items_ = nullptr;
  std::size_t count_ = 0;
  std::size_t capacity_ = 0;
};

// The parent's pid, or 0 when the process is gone.
pid_t parent_of(int proc, const char* pid) {
  char stat[512];
  Text<32> path;
  path << pid << "/stat";
  if (read_small(proc, path.c_str(), stat, sizeof stat) <= 0) return 0;
  // "pid (name) state ppid …"; the name may hold anything, but nothing after it holds a ')'.
  const char* name_end = std::strrchr(stat, ')');
  if (name_end == nullptr || std::strlen(name_end) < 5) return 0;
  return static_cast<pid_t>(std::strtol(name_end + 4, nullptr, 10));
}

void list_processes(ProcessList& list) {
  DIR* proc = ::opendir("/proc");
  if (proc == nullptr) return;
  while (const dirent* entry = ::readdir(proc)) {
    const char* name = entry->d_name;
    if (*name < '1' || *name > '9') continue;
    const pid_t parent = parent_of(::dirfd(proc), name);
    if (parent == 0) continue;
    if (!list.add({static_cast<pid_t>(std::strtol(name, nullptr, 10)), parent, false})) break;
  }
  ::closedir(proc);
}

// Until nothing new is found: a child may well have a lower pid than its parent.
void mark_descendants(ProcessList& list, pid_t ancestor) {
  bool found = true;
  while (found) {
    found = false;
    for (Process& process : list) {
      if (process.ours) continue;
      const Process* parent = list.find(process.parent);
      process.ours = process.parent == ancestor || (parent != nullptr && parent->ours);
      found = found || process.ours;
    }
  }
}

}  // namespace

Ancestry ancestry_of(pid_t pid) {
  constexpr int kLongestLine = 4096;  // should pids be given anew while we walk
  const Fd proc(::open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!proc) return Ancestry::gone;
  for (int i = 0; i < kLongestLine && pid > 1; ++i) {
    if (pid == ::getpid()) return Ancestry::descendant;
    Text<16> name;
    name << pid;
    pid = parent_of(proc.get(), name.c_str());
    if (pid == 0) return Ancestry::gone;
  }
  return Ancestry::stranger;
}

void signal_descendants(int signal) {
  ProcessList list;
  list_processes(list);
  mark_descendants(list, ::getpid());
  for (const Process& process : list) {
    if (!process.ours) continue;
    // By pid: the kernel hands pids out in a circle, so one does not come back within a pass. It
    // fails for a process that is gone, or that became another user's; neither can be helped.
    ::kill(process.pid, signal);
    if (signal == SIGTERM) ::kill(process.pid, SIGCONT);  // a stopped process could not react
  }
}

}  // namespace taskd::shim
