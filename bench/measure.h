// Shared by the measuring programs: the clock, percentiles, and the output format, lines of
// "key<TAB>value" on stdout. Not thread-safe.
#pragma once

#include <poll.h>
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace taskd::bench {

inline std::int64_t now_ns() {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1'000'000'000LL + t.tv_nsec;
}

inline double seconds_since(std::int64_t start_ns) {
  return static_cast<double>(now_ns() - start_ns) / 1e9;
}

// The pause between two measured tasks, so that each finds an idle daemon.
inline constexpr int kIdleGapMs = 20;
inline void pause_ms(int ms) {
  ::poll(nullptr, 0, ms);
}

// A fraction `share` of the durations is at most this long. Requires a non-empty vector.
inline double percentile_ms(std::vector<std::int64_t>& durations_ns, double share) {
  if (durations_ns.empty()) throw std::runtime_error("nothing was measured");
  const auto at = durations_ns.begin() +
                  static_cast<std::ptrdiff_t>(share * static_cast<double>(durations_ns.size() - 1));
  std::nth_element(durations_ns.begin(), at, durations_ns.end());
  return static_cast<double>(*at) / 1e6;
}

inline void print(const std::string& key, double value) {
  std::printf("%s\t%.6g\n", key.c_str(), value);
  std::fflush(stdout);
}

inline void print_latency(const std::string& key, std::vector<std::int64_t>& durations_ns) {
  print(key + ".p50", percentile_ms(durations_ns, 0.5));
  print(key + ".p99", percentile_ms(durations_ns, 0.99));
}

}  // namespace taskd::bench
