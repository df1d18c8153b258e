// The status at the end of an attempt, in its lock file.
#pragma once

#include <sys/resource.h>

#include <cstdint>
#include <string_view>

#include "daemon/process/shim/spec.h"

namespace taskd::shim {

// The sender of a SIGTERM.
struct Stopper {
  enum class Who { nobody, outside, own_tree, unknown };
  Who who = Who::nobody;
  pid_t pid = 0;
  char name[16] = "";  // name of its program, escaped; "" if the process is gone
};

struct End {
  std::string_view outcome;      // a word of OutcomeKind
  int code = 0;                  // exit code, signal or errno, depending on the outcome
  const char* step = "";         // the failed step
  int output_error = 0;          // errno of the first write of output that failed
  std::int64_t dropped_out = 0;  // bytes of stdout that were dropped
  std::int64_t dropped_err = 0;
  std::string_view result = kNoResult;
  Stopper stopper = {};  // who sent the SIGTERM that stopped it
  rusage usage = {};     // of all processes
};

// Appends the status to the lock file; its checksum exposes a torn write. With `durable`, it
// survives a power failure once this returns.
void write_status(const Spec& spec, const End& end, bool durable);

}  // namespace taskd::shim
