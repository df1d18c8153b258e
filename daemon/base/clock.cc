#include "daemon/base/clock.h"

#include <ctime>

namespace taskd {
namespace {

thread_local std::int64_t cpu_us_of_others = 0;

timespec read(clockid_t id) {
  timespec ts{};
  clock_gettime(id, &ts);  // cannot fail for these ids on Linux
  return ts;
}

std::int64_t read_ms(clockid_t id) {
  const timespec ts = read(id);
  return std::int64_t{ts.tv_sec} * 1000 + ts.tv_nsec / 1'000'000;
}

}  // namespace

WallTime SystemClock::wall_now() const {
  return {read_ms(CLOCK_REALTIME)};
}
BootTime SystemClock::boot_now() const {
  return {read_ms(CLOCK_BOOTTIME)};
}

std::int64_t thread_cpu_us() {
  const timespec ts = read(CLOCK_THREAD_CPUTIME_ID);
  return std::int64_t{ts.tv_sec} * 1'000'000 + ts.tv_nsec / 1000;
}

std::int64_t cpu_us_for_thread() {
  return thread_cpu_us() + cpu_us_of_others;
}

void add_cpu_us_of_others(std::int64_t us) {
  cpu_us_of_others += us;
}

}  // namespace taskd
