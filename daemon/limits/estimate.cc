#include "daemon/limits/estimate.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <queue>
#include <utility>

namespace taskd {
namespace {

constexpr std::size_t kFewest = 3;

}  // namespace

std::optional<std::int64_t> typical_ms(std::vector<std::int64_t> durations_ms) {
  if (durations_ms.size() < kFewest) return std::nullopt;
  const auto middle = durations_ms.begin() + std::ssize(durations_ms) / 2;
  std::nth_element(durations_ms.begin(), middle, durations_ms.end());
  return *middle;
}

std::optional<std::int64_t> start_in_ms(std::int64_t ahead, int places,
                                        const std::vector<std::int64_t>& elapsed_ms,
                                        std::int64_t each_ms, int wide) {
  constexpr std::int64_t kWhoKnows = std::numeric_limits<std::int64_t>::max();
  // When each place becomes free.
  std::priority_queue<std::int64_t, std::vector<std::int64_t>, std::greater<>> free_in_ms;
  for (const std::int64_t elapsed : elapsed_ms) {
    free_in_ms.push(elapsed > each_ms ? kWhoKnows : each_ms - elapsed);
  }
  while (std::cmp_less(free_in_ms.size(), places)) free_in_ms.push(0);
  for (std::int64_t i = 0; i < ahead && !free_in_ms.empty(); ++i) {
    const std::int64_t start = free_in_ms.top();
    if (start == kWhoKnows) return std::nullopt;
    free_in_ms.pop();
    free_in_ms.push(start + each_ms);
  }
  for (int i = 1; i < wide && free_in_ms.size() > 1; ++i) free_in_ms.pop();
  if (free_in_ms.empty()) return 0;
  return free_in_ms.top() == kWhoKnows ? std::nullopt : std::optional(free_in_ms.top());
}

}  // namespace taskd
