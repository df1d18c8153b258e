// Helpers for failed system calls.
#pragma once

#include <cerrno>
#include <string>
#include <system_error>

namespace taskd {

// Throws std::system_error with the current errno; `what` names the call and its object.
[[noreturn]] inline void throw_errno(const std::string& what) {
  throw std::system_error(errno, std::generic_category(), what);
}

// Invalid user input (a flag, a file, an environment variable). what() is a whole sentence that
// names it. Programs exit with `exit_code` (sysexits.h values).
class UsageError : public std::runtime_error {
 public:
  UsageError(int code, const std::string& what) : std::runtime_error(what), exit_code(code) {}
  int exit_code;
};

}  // namespace taskd
