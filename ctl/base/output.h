// taskctl's output: a buffered, checked stdout for data, and stderr for people.
//
// Used by one thread. Output is complete only after flush(); main() flushes before it exits.
#pragma once

#include <string>
#include <string_view>

namespace taskd::ctl {

// Data on stdout. If the reader is gone, the process ends quietly (141); any other write error is a
// Failure with exit code 74.
class Output {
 public:
  explicit Output(int fd) : fd_(fd) {}
  void write(std::string_view bytes);
  void line(std::string_view text);  // text and a newline
  void flush();
  int fd() const { return fd_; }
  bool is_tty() const;

 private:
  int fd_;
  std::string buffer_;
};

// Writes all of `bytes` now. Returns 0 or the errno of the write that failed.
int write_all(int fd, std::string_view bytes);

// The width of the terminal `fd`; 0 = not a terminal, do not clip. `columns_variable` is the value
// of COLUMNS; on a terminal a plausible number overrides.
int terminal_columns(int fd, const char* columns_variable);

// The height of the terminal `fd`; 0 = not a terminal. `lines_variable` is the value of LINES; on a
// terminal a plausible number overrides.
int terminal_lines(int fd, const char* lines_variable);

enum class Color { none, bold, dim, red, green, yellow, blue, cyan };

// Colours text with SGR sequences, or leaves it unchanged.
class Painter {
 public:
  explicit Painter(bool enabled) : enabled_(enabled) {}
  bool enabled() const { return enabled_; }
  std::string operator()(Color color, std::string_view text) const;

 private:
  bool enabled_;
};

// Whether a terminal of this type (TERM, or null) can only print.
bool is_dumb(const char* term);

// Whether to use colours, given --color=WHEN. `auto`: on a terminal that is not dumb, unless
// NO_COLOR is not empty. Throws UsageError for other words. The pointers are values of variables,
// or null.
bool use_color(std::string_view when, bool is_tty, const char* no_color, const char* term);

}  // namespace taskd::ctl
