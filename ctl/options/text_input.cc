#include "ctl/options/text_input.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "ctl/base/failure.h"
#include "daemon/base/errors.h"
#include "daemon/base/files.h"

namespace taskd::ctl {
namespace {

[[noreturn]] void cannot_read(const std::string& what, int error) {
  throw UsageError(exit_code_of_errno(error, kExitBadData),
                   "cannot read " + what + ": " + std::strerror(error));
}

[[noreturn]] void too_large(const std::string& what, std::size_t max_bytes) {
  throw UsageError(kExitBadData, what + " has more than " + std::to_string(max_bytes) + " bytes");
}

}  // namespace

std::string_view without_mark(std::string_view text) {
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  return text;
}

std::string read_stdin_bytes(std::size_t max_bytes, const std::string& what) {
  std::string text;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t n = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) cannot_read(what, errno);
    if (n == 0) return text;
    text.append(buffer, static_cast<std::size_t>(n));
    if (text.size() > max_bytes) too_large(what, max_bytes);
  }
}

std::string read_text(const std::string& path, std::size_t max_bytes, const std::string& what) {
  if (path == "-") return std::string(without_mark(read_stdin_bytes(max_bytes, what)));
  try {
    const auto text = read_file(path, max_bytes + 1);
    if (!text) cannot_read(what, ENOENT);
    if (text->size() > max_bytes) too_large(what, max_bytes);
    return std::string(without_mark(*text));
  } catch (const std::system_error& e) {
    cannot_read(what, e.code().value());
  }
}

}  // namespace taskd::ctl
