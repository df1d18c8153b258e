// Creates the socket on which the server listens.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd {

// Throws UsageError (78) for a path that cannot be a Unix socket's.
void check_socket_path(const std::string& path);

// A listening Unix socket at `path` with `mode`. Replaces a stale socket file (nobody listens);
// call only under the instance lock. Throws UsageError: 78 for a path over 107 bytes; 73 if
// something other than a socket is in the way, or the folder is missing or not writable.
UniqueFd listen_unix(const std::string& path, unsigned mode);

}  // namespace taskd
