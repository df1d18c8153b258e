#include "daemon/base/clock.h"

#include <ctime>

namespace taskd {
namespace {

std::int64_t read_ms(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);  // cannot fail for these two ids on Linux
  return std::int64_t{ts.tv_sec} * 1000 + ts.tv_nsec / 1'000'000;
}

}  // namespace

WallTime SystemClock::wall_now() const { return {read_ms(CLOCK_REALTIME)}; }
BootTime SystemClock::boot_now() const { return {read_ms(CLOCK_BOOTTIME)}; }

}  // namespace taskd
