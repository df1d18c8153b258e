// What the job writes as its result, read from the pipe at TASKD_RESULT_FILE while the job runs.
//
// A pipe, since a file of the job's user would grow as the job likes on the disk of the daemon's
// state, even after the attempt. Everything written must be JSON; of several values the last
// counts, whoever wrote them and in however many pieces. Bare numbers and words end with a blank or
// a newline. Never more than one value of kMaxResultBytes is kept in memory.
#pragma once

#include <string_view>

#include "daemon/process/shim/fd.h"
#include "daemon/process/shim/protocol.h"

namespace taskd::shim {

class Result {
 public:
  // Opens the pipe, which the launcher made; `path` is Spec::result. From then on nobody can read
  // from it but this. Returns 0 or errno.
  int open(const char* path);

  // Has POLLIN when there is something to read.
  int fd() const { return pipe_.get(); }
  // Reads some of it. False when there is nothing left right now.
  bool read();

  // Call when the tree is dead: reads what is left and writes the value to kResultText; durably if
  // asked to. Returns the word for the status.
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
  bool too_large_ = false;  // the value that is in the text
  bool any_ = false;
  // Where the last byte stands in its value.
  bool inside_ = false;
  bool in_string_ = false;
  bool escaped_ = false;
  int depth_ = 0;
  std::size_t bytes_ = 0;
  char text_[kMaxResultBytes];
};

}  // namespace taskd::shim
