#include "daemon/process/shim/cgroup.h"

#include <cerrno>
#include <cstring>

namespace taskd::shim {
namespace {

// The value of "key N" in a file of such lines is not 0.
bool is_set(const char* text, const char* key) {
  const char* found = std::strstr(text, key);
  return found != nullptr && found[std::strlen(key)] != '0';
}

}  // namespace

int Cgroup::open(const char* path) {
  if (*path == '\0') return 0;
  path_ = path;
  folder_.reset(::open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder_) return errno;
  events_.reset(::openat(folder_.get(), "cgroup.events", O_RDONLY | O_CLOEXEC));
  return events_ ? 0 : errno;
}

bool Cgroup::populated() const {
  if (!events_) return false;
  char text[256];
  const ssize_t n = ::pread(events_.get(), text, sizeof text - 1, 0);
  if (n <= 0) return false;  // ENODEV: somebody removed the cgroup, which only an empty one allows
  text[n] = '\0';
  return is_set(text, "populated ");
}

bool Cgroup::kill() const {
  if (!folder_) return false;
  const Fd file(::openat(folder_.get(), "cgroup.kill", O_WRONLY | O_CLOEXEC));
  return file && ::write(file.get(), "1", 1) == 1;
}

bool Cgroup::had_oom_kill() const {
  char text[512];
  return folder_ && read_small(folder_.get(), "memory.events", text, sizeof text) > 0 &&
         is_set(text, "oom_kill ");
}

void Cgroup::remove() const {
  // Fails where the command made cgroups inside; the launcher tries again when it cleans up.
  if (folder_) ::rmdir(path_);
}

}  // namespace taskd::shim
