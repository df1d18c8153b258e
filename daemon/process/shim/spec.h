// The launch spec in the shim: views into one static buffer, no copies.
#pragma once

#include <sys/types.h>

#include "daemon/process/shim/protocol.h"

namespace taskd::shim {

struct Spec {
  SpecHeader header;
  const gid_t* groups;
  const char* token;
  const char* boot_id;
  const char* cwd;
  const char* cgroup;  // "" = none
  const char* input;   // stdin: see protocol.h
  const char* result;  // result pipe: see protocol.h
  char** argv;         // both end with a null pointer
  char** env;
};

// Reads one whole spec from `fd`, blocking. Returns false if it ends early (the daemon is gone) or
// is not a spec of this version; then nothing may be started. Call once: the buffer is static.
bool read_spec(int fd, Spec& spec);

}  // namespace taskd::shim
