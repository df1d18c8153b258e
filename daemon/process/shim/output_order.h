// Records the order in which the command wrote its two streams, as far as the shim saw it: each
// change of streams adds a record of the stream and its offset. A command that writes only one
// stream leaves no record and no file.
//
// The records are kept like the output, under their own cap: output_file.h. The reader is
// read_order() in output.h.
#pragma once

#include <cstdint>

#include "daemon/process/shim/output_file.h"
#include "daemon/process/shim/protocol.h"

namespace taskd::shim {

class OutputOrder {
 public:
  explicit OutputOrder(int folder) : file_(folder, "order", kOrderCapBytes) {}

  // Call before writing the stream ('o' or 'e') from its byte `offset` on.
  void note(char stream, std::int64_t offset);

 private:
  void record(char stream, std::int64_t offset);

  OutputFile file_;
  char last_ = 0;
  bool has_records_ = false;
};

}  // namespace taskd::shim
