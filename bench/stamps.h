// The reading end of bench_stamp: a FIFO that exists while this object lives. Not thread-safe.
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace taskd::bench {

class Stamps {
 public:
  explicit Stamps(std::string fifo) : fifo_(std::move(fifo)) {
    if (::mkfifo(fifo_.c_str(), 0600) != 0) throw_errno("mkfifo " + fifo_);
    // Also open for writing, so that the FIFO does not end between two stamps.
    fd_.reset(::open(fifo_.c_str(), O_RDWR | O_CLOEXEC));
    if (!fd_) throw_errno("open " + fifo_);
  }
  ~Stamps() { ::unlink(fifo_.c_str()); }
  Stamps(const Stamps&) = delete;
  Stamps& operator=(const Stamps&) = delete;

  // When the task started, in nanoseconds of CLOCK_MONOTONIC. Throws after a minute without one.
  std::int64_t next() {
    pollfd ready{fd_.get(), POLLIN, 0};
    if (::poll(&ready, 1, 60'000) != 1) throw std::runtime_error("no task started in a minute");
    std::int64_t ns = 0;
    if (::read(fd_.get(), &ns, sizeof ns) != sizeof ns) throw_errno("read " + fifo_);
    return ns;
  }

 private:
  std::string fifo_;
  UniqueFd fd_;
};

}  // namespace taskd::bench
