// The socket on which the server listens.
#pragma once

#include <string>

#include "daemon/base/unique_fd.h"

namespace taskd {

// Throws UsageError (78) for a path that no Unix socket can have.
void check_socket_path(const std::string& path);

// A listening Unix socket at `path` with `mode`. A stale socket file (nobody listens) is replaced;
// call only under the instance lock. Throws UsageError: path over 107 bytes (78), something else
// than a socket in the way (73), a folder that is missing or may not be written (73).
UniqueFd listen_unix(const std::string& path, unsigned mode);

}  // namespace taskd
