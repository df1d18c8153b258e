// How people name tasks: 12, 12-20, 12[3], 12[3-5] and last. Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace taskd {

// At most one of `indexes` and a `last` other than `first` is there.
struct TaskName {
  bool newest = false;     // "last": what its user submitted last; nothing else is set
  std::int64_t first = 0;  // a task, or an array by the id of its first task
  std::int64_t last = 0;   // above `first` in a range such as 12-20, else the same
  std::optional<std::pair<std::int64_t, std::int64_t>> indexes;  // 12[3] is {3, 3}

  bool is_range() const { return last != first; }
  bool operator==(const TaskName&) const = default;
};

// Nothing for other texts.
std::optional<TaskName> parse_task_name(std::string_view text);

// "12[3]", the one way to name the first index of an array; "12" for a task that is in none.
struct Task;
std::string name_of(const Task& task);

}  // namespace taskd
