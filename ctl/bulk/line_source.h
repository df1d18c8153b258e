// The lines of a file or of stdin, read bit by bit, with their numbers. A line ends in LF or CR LF,
// and a byte order mark before the first is no part of it (text_input.h); or each ends in NUL and
// is taken as it is.
//
// An interrupt ends a read that waits: Interrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "ctl/terminal/interrupts.h"
#include "daemon/base/unique_fd.h"

namespace taskd::ctl {

struct Interrupted {
  int signal = 0;
};

class LineSource {
 public:
  // `path` may be "-": stdin. Throws Failure (65) when it cannot be opened. `interrupts` outlives
  // it.
  enum class End { line, nul };
  LineSource(const std::string& path, Interrupts& interrupts, End end = End::line);

  // The next line, without its end. False when there is none. Throws Failure (65) when it cannot
  // be read or is longer than `max_bytes`, or Interrupted.
  bool next(std::string& line, std::size_t max_bytes);

  // Of the line that next() gave, from 1.
  std::int64_t number() const { return number_; }
  // "FILE" as it may be shown.
  const std::string& name() const { return name_; }
  // How much of it has been read, from 0 to 1; nothing where its size is not known.
  std::optional<double> part_read() const;

 private:
  bool fill();  // false at the end

  std::string name_;
  UniqueFd opened_;  // none for stdin
  int fd_;
  Interrupts& interrupts_;
  const End end_;
  std::int64_t size_bytes_ = 0;  // 0: unknown
  std::int64_t read_bytes_ = 0;
  std::int64_t number_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;  // of what next() has not given yet
};

}  // namespace taskd::ctl
