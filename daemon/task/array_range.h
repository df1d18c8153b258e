// The index range of an array, and how people write it. Plain data and pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace taskd {

inline constexpr std::int64_t kMaxArrayTasks = 1'000'000;
// Rows of one array: its tasks, their labels and their dependencies.
inline constexpr std::int64_t kMaxArrayRows = 5'000'000;
inline constexpr std::int64_t kMaxArrayIndex = 1'000'000'000;
// Prefix of an array's own key, before the array's id. User keys never begin with '#'.
inline constexpr std::string_view kArrayKey = "#array-";

// first, first + step, … up to last.
struct ArrayRange {
  std::int64_t first = 0;  // 0 to kMaxArrayIndex, as is `last`; not above `last`
  std::int64_t last = 0;
  std::int64_t step = 1;  // at least 1
  int at_once = 0;        // its tasks that may run at once; 0 = no limit
  bool operator==(const ArrayRange&) const = default;

  std::int64_t count() const { return (last - first) / step + 1; }
  std::int64_t index(std::int64_t place) const { return first + place * step; }
};

// "1-100", "0-99:3", "1-100%4", "7". Returns nothing for other text. Does not check the limits.
std::optional<ArrayRange> parse_array_range(std::string_view text);

// A task's place in its array.
struct ArrayPlace {
  std::int64_t array = 0;  // id of its first task
  std::int64_t index = 0;
  bool operator==(const ArrayPlace&) const = default;
};

}  // namespace taskd
