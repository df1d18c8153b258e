#include "ctl/base/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "ctl/base/failure.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kBufferBytes = 64 * 1024;
constexpr int kMaxTerminal = 10'000;

std::string_view sgr(Color color) {
  switch (color) {
    case Color::none:
      return "";
    case Color::bold:
      return "\x1b[1m";
    case Color::dim:
      return "\x1b[2m";
    case Color::red:
      return "\x1b[31m";
    case Color::green:
      return "\x1b[32m";
    case Color::yellow:
      return "\x1b[33m";
    case Color::blue:
      return "\x1b[34m";
    case Color::cyan:
      return "\x1b[36m";
  }
  return "";
}

// The value of LINES or COLUMNS; 0 if it is missing or implausible.
int size_from(const char* variable) {
  const auto size = variable != nullptr ? parse_int(variable) : std::nullopt;
  return size && *size > 0 && *size <= kMaxTerminal ? static_cast<int>(*size) : 0;
}

}  // namespace

int write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(fd, bytes.data(), bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return 0;
}

void Output::write(std::string_view bytes) {
  buffer_.append(bytes);
  if (buffer_.size() >= kBufferBytes) flush();
}

void Output::line(std::string_view text) {
  buffer_.append(text).push_back('\n');
  if (buffer_.size() >= kBufferBytes) flush();
}

void Output::flush() {
  const std::string bytes = std::move(buffer_);
  buffer_.clear();
  const int error = write_all(fd_, bytes);
  if (error == EPIPE) throw Failure(kExitClosedPipe, "");
  if (error != 0)
    throw Failure(kExitOutput, std::string("cannot write the output: ") + std::strerror(error));
}

bool Output::is_tty() const {
  return ::isatty(fd_) == 1;
}

int terminal_columns(int fd, const char* columns_variable) {
  if (::isatty(fd) != 1) return 0;
  if (const int columns = size_from(columns_variable)) return columns;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

int terminal_lines(int fd, const char* lines_variable) {
  if (::isatty(fd) != 1) return 0;
  if (const int lines = size_from(lines_variable)) return lines;
  winsize size{};
  if (::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row > 0) return size.ws_row;
  return 24;
}

std::string Painter::operator()(Color color, std::string_view text) const {
  if (!enabled_ || color == Color::none || text.empty()) return std::string(text);
  return std::string(sgr(color)).append(text).append("\x1b[0m");
}

bool is_dumb(const char* term) {
  return term == nullptr || *term == '\0' || std::strcmp(term, "dumb") == 0;
}

bool use_color(std::string_view when, bool is_tty, const char* no_color, const char* term) {
  if (when == "always") return true;
  if (when == "never") return false;
  if (when != "auto")
    throw UsageError(
        kExitUsage, "--color takes auto, always or never, not \"" + escape_for_humans(when) + "\"");
  const bool refused = no_color != nullptr && *no_color != '\0';
  return is_tty && !refused && !is_dumb(term);
}

}  // namespace taskd::ctl
