// Encodes a Launch into the bytes that taskd-shim reads from its launch pipe (shim/protocol.h).
// Pure.
#pragma once

#include <string>

#include "daemon/process/launcher.h"
#include "daemon/process/user.h"

namespace taskd {

// Settings for every attempt of this daemon.
struct LaunchSettings {
  std::string boot_id;
  std::string socket;  // TASKD_SOCKET
  std::string folder;  // of the job's input files
  std::int64_t output_cap_bytes = 0;
  bool switch_user = false;      // switch to the user's identity; otherwise keep the daemon's
  bool reset_oom_score = false;  // see SpecHeader
};

struct EncodedSpec {
  std::string bytes;
  int error = 0;  // errno: E2BIG, or EINVAL for a text that contains NUL; then there are no bytes
};

// `cgroup` is the folder of the attempt's cgroup, or "".
EncodedSpec encode_spec(const Launch& launch, const User& user, const LaunchSettings& settings,
                        const std::string& cgroup);

}  // namespace taskd
