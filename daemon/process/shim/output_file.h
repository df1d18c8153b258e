// One stream of the command's output, kept in files under a cap.
//
// The head file holds the first half of the cap. Tail segments of a quarter each follow; the two
// newest are kept. So the disk never holds more than the cap, and of a longer stream the first half
// cap and at least the last quarter cap survive. Files are named by the logical offset of their
// first byte; no file exists before the first byte. output.h is the reader.
#pragma once

#include <cstddef>
#include <cstdint>

#include "daemon/process/shim/fd.h"

namespace taskd::shim {

class OutputFile {
 public:
  // `name` is "stdout" or "stderr". It and the folder's descriptor must outlive this object.
  OutputFile(int folder, const char* name, std::int64_t cap)
      : folder_(folder), name_(name), cap_(cap) {}

  // Appends. A failed write loses the bytes but never harms the job: the stream continues in a new
  // segment once there is space again, and the segments' names show the gap.
  void append(const char* data, std::size_t bytes);

  // Offset of the next byte in the command's own stream.
  std::int64_t offset() const { return offset_; }

  // errno of the first write that failed; 0 = nothing was lost.
  int error() const { return error_; }
  // How many bytes of the stream were dropped.
  std::int64_t dropped() const { return dropped_; }

 private:
  bool next_segment();
  void remove_segment(std::int64_t start);

  const int folder_;
  const char* const name_;
  const std::int64_t cap_;
  Fd file_;
  std::int64_t offset_ = 0;     // of the next byte in the command's own stream
  std::int64_t written_ = 0;    // bytes in the open file
  std::int64_t room_ = 0;       // bytes that still fit
  std::int64_t current_ = -1;   // start of the growing tail segment
  std::int64_t previous_ = -1;  // start of the segment before it
  std::int64_t previous_bytes_ = 0;
  std::int64_t dropped_ = 0;
  int error_ = 0;
};

}  // namespace taskd::shim
