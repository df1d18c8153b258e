// In which order the two streams of the command were written, as far as the shim saw it: whenever
// the other stream goes on, a record says which, and from which of its bytes. A command that writes
// to one stream alone leaves no record and no file.
//
// The records are kept as the output is, under a cap of their own: output_file.h. The reader is
// read_order() of output.h.
#pragma once

#include <cstdint>

#include "daemon/process/shim/output_file.h"
#include "daemon/process/shim/protocol.h"

namespace taskd::shim {

class OutputOrder {
 public:
  explicit OutputOrder(int folder) : file_(folder, "order", kOrderCapBytes) {}

  // The stream ('o' or 'e') goes on at its byte `offset`: call before that is written.
  void note(char stream, std::int64_t offset);

 private:
  void record(char stream, std::int64_t offset);

  OutputFile file_;
  char last_ = 0;
  bool has_records_ = false;
};

}  // namespace taskd::shim
