// Turns a Launch into the bytes taskd-shim reads from its launch pipe (shim/protocol.h). Pure.
#pragma once

#include <string>

#include "daemon/process/launcher.h"
#include "daemon/process/user.h"

namespace taskd {

// What every attempt of this daemon gets.
struct LaunchSettings {
  std::string boot_id;
  std::string socket;  // TASKD_SOCKET
  std::string folder;  // of the files that the job is given
  std::int64_t output_cap_bytes = 0;
  bool switch_user = false;      // take the user's identity; else it is the daemon's own
  bool reset_oom_score = false;  // see SpecHeader
};

struct EncodedSpec {
  std::string bytes;
  int error = 0;  // errno: E2BIG, or EINVAL for a text with a NUL in it; then there are no bytes
};

// `cgroup` is the folder of the attempt's cgroup, or "".
EncodedSpec encode_spec(const Launch& launch, const User& user, const LaunchSettings& settings,
                        const std::string& cgroup);

}  // namespace taskd
