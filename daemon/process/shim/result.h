// The job's result, read from the pipe at TASKD_RESULT_FILE while the job runs.
//
// It is a pipe because a file of the job's user could grow without limit on the disk of the
// daemon's state, even after the attempt. All input must be JSON. The last of several values
// counts, whoever wrote them and in however many pieces. Bare numbers and words end with a blank or
// a newline. Holds at most one value of kMaxResultBytes in memory.
#pragma once

#include <string_view>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/protocol.h"

namespace taskd::shim {

class Result {
 public:
  // Opens the pipe that the launcher created; `path` is Spec::result. From then on only this
  // process can read from it. Returns 0 or errno.
  int open(const char* path);

  // Has POLLIN when there is something to read.
  int fd() const { return pipe_.get(); }
  // Reads some of it. Returns false if nothing is left right now.
  bool read();

  // Call when all processes are dead: reads the rest and writes the value to kResultText, durably
  // if asked to. Returns the word for the status.
  std::string_view keep(bool durable);

 private:
  void take(std::string_view bytes);
  void take(char c);
  void begin_value();
  void end_value();
  void read_replacement();
  bool write_text(bool durable);

  const char* path_ = "";
  Fd pipe_;
  bool lost_ = false;
  bool not_json_ = false;
  bool too_large_ = false;  // the value in `text_`
  bool any_ = false;
  // Parser state after the last byte.
  bool inside_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
  int depth_ = 0;
  std::size_t bytes_ = 0;
  char text_[kMaxResultBytes];
};

}  // namespace taskd::shim
