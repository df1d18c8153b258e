#include "daemon/api/cpu_use.h"

#include <doctest/doctest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace taskd {
namespace {

struct SetClock final : Clock {
  BootTime now{1'000};
  WallTime wall_now() const override { return {}; }
  BootTime boot_now() const override { return now; }
};

int own_nice() {
  return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()));
}

TEST_CASE("who takes much of the processors beside others is served at a lower priority") {
  SetClock clock;
  CpuUse use(clock);
  const Actor busy{1001, false};
  const Actor other{1002, false};
  CHECK_FALSE(use.takes_much(busy));
  use.add(busy.uid, 400'000);
  CHECK_FALSE(use.takes_much(busy));  // it keeps nobody waiting
  use.add(other.uid, 10);
  CHECK(use.takes_much(busy));
  CHECK_FALSE(use.takes_much(other));
  CHECK_FALSE(use.takes_much({busy.uid, true}));
  const int before = own_nice();
  {
    const CpuUse::Serving serving(use, busy);
    CHECK(own_nice() == before + (::geteuid() == 0 ? 5 : 0));
  }
  CHECK(own_nice() == before);
  {
    const CpuUse::Serving serving(use, other);
    CHECK(own_nice() == before);
  }
  clock.now = clock.now + 2'000;
  CHECK_FALSE(use.takes_much(busy));  // which was a while ago
}

TEST_CASE("who was alone for some seconds is alone") {
  SetClock clock;
  CpuUse use(clock);
  const Actor busy{1001, false};
  use.add(1002, 10);
  clock.now = clock.now + 6'000;
  use.add(busy.uid, 400'000);
  CHECK_FALSE(use.takes_much(busy));
}

}  // namespace
}  // namespace taskd
