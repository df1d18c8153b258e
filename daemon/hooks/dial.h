// Connects to a webhook's address without waiting longer than the deadline allows.
#pragma once

#include <netdb.h>

#include <stdexcept>

#include "daemon/base/unique_fd.h"
#include "daemon/hooks/hook_url.h"
#include "daemon/hooks/poll_deadline.h"

namespace taskd {

// A try came to nothing; what() says why.
struct HookFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The daemon stops.
struct HookInterrupted : std::runtime_error {
  HookInterrupted() : std::runtime_error("the daemon stopped") {}
};

// Waits as HookDeadline does; throws HookFailure at the deadline and HookInterrupted at a stop.
// `doing` is what took too long: "connecting".
void wait_or_throw(const HookDeadline& deadline, int fd, short events, const char* doing);

// A connected, non-blocking socket to the first of these addresses (at least one) that can be
// connected to; each has its share of the time that is left. Throws the above.
UniqueFd connect_to_any(const addrinfo* addresses, const HookDeadline& deadline);

// The same for what the URL names. Throws the above. A name is looked up on a thread of its own,
// since a lookup cannot be ended; one that is given up ends by itself later.
UniqueFd dial(const HookUrl& url, const HookDeadline& deadline);

}  // namespace taskd
