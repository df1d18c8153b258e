// Connects to a webhook's address within the deadline.
#pragma once

#include <netdb.h>

#include <stdexcept>

#include "daemon/base/unique_fd.h"
#include "daemon/hooks/hook_url.h"
#include "daemon/hooks/poll_deadline.h"

namespace taskd {

// A try failed; what() says why.
struct HookFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The daemon is stopping.
struct HookInterrupted : std::runtime_error {
  HookInterrupted() : std::runtime_error("the daemon stopped") {}
};

// Waits as HookDeadline does; throws HookFailure at the deadline and HookInterrupted when the
// daemon stops. `doing` names what took too long: "connecting".
void wait_or_throw(const HookDeadline& deadline, int fd, short events, const char* doing);

// Returns a connected, non-blocking socket to the first reachable address (there must be at least
// one). The remaining time is divided among the addresses. Throws the above.
UniqueFd connect_to_any(const addrinfo* addresses, const HookDeadline& deadline);

// Connects to the URL's host. Throws the above. Looks a name up on a separate thread, since a
// lookup cannot be cancelled; an abandoned one ends by itself later.
UniqueFd dial(const HookUrl& url, const HookDeadline& deadline);

}  // namespace taskd
