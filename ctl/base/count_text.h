// Formats numbers for people.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>

namespace taskd::ctl {

// "40,000".
template <std::integral Integer>
std::string format_count(Integer count) {
  std::string text = std::to_string(count);
  for (std::size_t at = text.size(); at > 3 && text[at - 4] != '-';) text.insert(at -= 3, 1, ',');
  return text;
}

// "1 task", "40,000 tasks".
template <std::integral Integer>
std::string count_tasks(Integer count) {
  return format_count(count) + (count == 1 ? " task" : " tasks");
}

// "512 B", "3.4 MiB".
std::string format_bytes(std::int64_t bytes);

}  // namespace taskd::ctl
