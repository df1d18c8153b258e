#include "daemon/task/task_name.h"

#include <algorithm>
#include <tuple>

#include "daemon/base/text.h"
#include "daemon/task/task.h"

namespace taskd {
namespace {

// "3" or "3-5", each at least `least`.
std::optional<std::pair<std::int64_t, std::int64_t>> parse_range(std::string_view text,
                                                                 std::int64_t least) {
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto first = parse_int(text.substr(0, dash));
  const auto last = dash == text.size() ? first : parse_int(text.substr(dash + 1));
  if (!first || !last || *first < least || *last < *first) return std::nullopt;
  return std::pair(*first, *last);
}

}  // namespace

std::optional<TaskName> parse_task_name(std::string_view text) {
  TaskName name;
  if (text == "last") {
    name.newest = true;
    return name;
  }
  const std::size_t bracket = text.find('[');
  const auto ids = parse_range(text.substr(0, bracket), 1);
  if (!ids) return std::nullopt;
  std::tie(name.first, name.last) = *ids;
  if (bracket == text.npos) return name;
  if (name.is_range() || !text.ends_with(']')) return std::nullopt;
  name.indexes = parse_range(text.substr(bracket + 1, text.size() - bracket - 2), 0);
  return name.indexes ? std::optional(name) : std::nullopt;
}

std::string name_of(const Task& task) {
  if (!task.array) return std::to_string(task.id);
  return std::to_string(task.array->array) + "[" + std::to_string(task.array->index) + "]";
}

}  // namespace taskd
