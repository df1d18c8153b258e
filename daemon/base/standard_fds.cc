#include "daemon/base/standard_fds.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace taskd {

int open_missing_standard_fds() {
  for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; ++fd) {
    if (::fcntl(fd, F_GETFD) >= 0) continue;
    if (::open("/dev/null", O_RDWR) < 0) return errno;  // the lowest free number, so this one
  }
  return 0;
}

}  // namespace taskd
