// An owned descriptor and short reads of kernel files, for code without exceptions.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>

namespace taskd::shim {

class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;

  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  void reset(int fd = -1) {
    if (fd_ >= 0) ::close(fd_);
    fd_ = fd;
  }

 private:
  int fd_ = -1;
};

// Reads a small file of /proc or a cgroup in one call and appends a NUL. Returns its length, or -1
// if it cannot be read (for /proc: the process is gone).
inline ssize_t read_small(int dir, const char* path, char* buffer, std::size_t size) {
  const Fd fd(::openat(dir, path, O_RDONLY | O_CLOEXEC));
  if (!fd) return -1;
  const ssize_t n = ::read(fd.get(), buffer, size - 1);
  buffer[n > 0 ? n : 0] = '\0';
  return n;
}

}  // namespace taskd::shim
