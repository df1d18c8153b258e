#include "daemon/base/event_fd.h"

#include <doctest/doctest.h>
#include <poll.h>

namespace taskd {
namespace {

bool is_readable(const EventFd& event) {
  pollfd slot{event.get(), POLLIN, 0};
  return ::poll(&slot, 1, 0) == 1;
}

TEST_CASE("an event is readable from its raising to its clearing, however often each was done") {
  const EventFd event;
  CHECK_FALSE(is_readable(event));
  event.clear();
  event.raise();
  event.raise();
  CHECK(is_readable(event));
  event.clear();
  CHECK_FALSE(is_readable(event));
  event.raise();
  CHECK(is_readable(event));
}

}  // namespace
}  // namespace taskd
