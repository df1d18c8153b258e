#include "daemon/engine/task_watch.h"

#include <doctest/doctest.h>
#include <poll.h>

using namespace taskd;

namespace {

bool readable(int fd) {
  pollfd p{fd, POLLIN, 0};
  return ::poll(&p, 1, 0) == 1;
}

}  // namespace

TEST_CASE("a ticket hears of its own task's changes, once each clear") {
  TaskWatch watch;
  const auto one = watch.watch(1);
  const auto two = watch.watch(2);
  const Change change[] = {
      {.task = 1, .to = State::running, .cancel_requested = false, .act_at = {}}};
  watch.publish(change);
  CHECK(readable(one->fd()));
  CHECK_FALSE(readable(two->fd()));
  one->clear();
  CHECK_FALSE(readable(one->fd()));
}

TEST_CASE("closing wakes every ticket, present and future, for good") {
  TaskWatch watch;
  const auto early = watch.watch(1);
  watch.close();
  const auto late = watch.watch(2);
  CHECK(readable(early->fd()));
  CHECK(readable(late->fd()));
  late->clear();
  CHECK(readable(late->fd()));
  CHECK(watch.closed());
}

TEST_CASE("a ticket that is gone is told nothing") {
  TaskWatch watch;
  watch.watch(1).reset();
  const Change change[] = {
      {.task = 1, .to = State::succeeded, .cancel_requested = false, .act_at = {}}};
  watch.publish(change);
}
