// The attempt's last word: the status in its lock file.
#pragma once

#include <sys/resource.h>

#include <string_view>

#include "daemon/process/shim/spec.h"

namespace taskd::shim {

struct End {
  std::string_view outcome;  // a word of OutcomeKind
  int code = 0;              // exit code, signal or errno, as the outcome says
  const char* step = "";     // which step failed
  int output_error = 0;      // errno of the first write of output that failed
  rusage usage = {};         // of the whole tree
};

// Adds the status to the lock file; a torn one is known by its checksum. Where `durable`, it survives a
// power cut once this returns.
void write_status(const Spec& spec, const End& end, bool durable);

}  // namespace taskd::shim
