// A flag that threads wait for with poll(): any thread raises it, and it stays readable until
// cleared. Thread-safe. The constructor throws std::system_error when it gets no descriptor.
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace taskd {

class EventFd {
 public:
  EventFd() : fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    if (!fd_) throw_errno("eventfd");
  }

  int get() const { return fd_.get(); }

  void raise() const {
    const std::uint64_t one = 1;
    // Fails only at a count of 2^64 - 2, when it is readable anyway.
    [[maybe_unused]] const ssize_t n = ::write(fd_.get(), &one, sizeof one);
  }

  void clear() const {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = ::read(fd_.get(), &count, sizeof count);
  }

 private:
  UniqueFd fd_;
};

}  // namespace taskd
