#include "ctl/terminal/confirm.h"

#include <unistd.h>

#include <cerrno>

#include "ctl/base/output.h"

namespace taskd::ctl {

bool can_ask() {
  return ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
}

bool confirm(const std::string& question) {
  write_all(STDERR_FILENO, question + " [y/N] ");
  std::string line;
  while (line.empty() || line.back() != '\n') {
    char buffer[256];
    const ssize_t length = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (length < 0 && errno == EINTR) continue;
    if (length <= 0) {
      write_all(STDERR_FILENO, "\n");
      return false;
    }
    line.append(buffer, static_cast<std::size_t>(length));
  }
  return line == "y\n" || line == "Y\n" || line == "yes\n";
}

}  // namespace taskd::ctl
