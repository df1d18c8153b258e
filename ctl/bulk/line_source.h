// Reads the lines of a file or of stdin with their numbers. A line ends in LF or CR LF, and a byte
// order mark before the first is ignored (text_input.h); or lines end in NUL and are taken
// unchanged.
//
// An interrupt ends a blocking read: Interrupted.
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
  // `path` may be "-": stdin. Throws Failure (65) if it cannot be opened. `interrupts` must outlive
  // this object.
  enum class End { line, nul };
  LineSource(const std::string& path, Interrupts& interrupts, End end = End::line);

  // The next line, without its end. Returns false at the end of the file. Throws Failure (65) if it
  // cannot be read or exceeds `max_bytes`, or Interrupted.
  bool next(std::string& line, std::size_t max_bytes);

  // The number of the latest line, from 1.
  std::int64_t number() const { return number_; }
  // "FILE", escaped.
  const std::string& name() const { return name_; }
  // The fraction read so far, from 0 to 1; nothing if the size is unknown.
  std::optional<double> part_read() const;

 private:
  bool fill();  // false at the end

  std::string name_;
  UniqueFd opened_;  // empty for stdin
  int fd_;
  Interrupts& interrupts_;
  const End end_;
  std::int64_t size_bytes_ = 0;  // 0 = unknown
  std::int64_t read_bytes_ = 0;
  std::int64_t number_ = 0;
  std::string buffer_;
  std::size_t begin_ = 0;  // start of what next() has not returned yet
};

}  // namespace taskd::ctl
