#include "daemon/process/attempt_list.h"

#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <limits>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/log.h"
#include "daemon/base/text.h"
#include "daemon/process/attempt_folder.h"

namespace taskd {
namespace {

constexpr std::int64_t kMaxPlausibleGroup = 1'000'000'000'000;

// Only what std::to_string() would have written.
std::optional<std::int64_t> parse_natural(std::string_view text) {
  const auto value = parse_int(text);
  if (!value || *value < 0 || std::to_string(*value) != text) return std::nullopt;
  return value;
}

std::optional<AttemptId> parse_attempt(std::string_view name) {
  const std::size_t dot = name.find('.');
  if (dot == name.npos) return std::nullopt;
  const auto task = parse_natural(name.substr(0, dot));
  const auto number = parse_natural(name.substr(dot + 1));
  if (!task || !number || *number > std::numeric_limits<int>::max()) return std::nullopt;
  return AttemptId{*task, static_cast<int>(*number)};
}

}  // namespace

std::vector<std::int64_t> list_attempt_groups(int attempts_fd) {
  std::vector<std::int64_t> groups;
  for (const std::string& name : list_folder_at(attempts_fd, ".")) {
    if (const auto group = parse_natural(name)) groups.push_back(*group);
  }
  return groups;
}

TaskId newest_task_with_folder(const std::string& attempts_dir) {
  const UniqueFd attempts(::open(attempts_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!attempts) {
    if (errno == ENOENT) return 0;
    throw_errno("open " + attempts_dir);
  }
  std::vector<std::int64_t> groups = list_attempt_groups(attempts.get());
  std::ranges::sort(groups, std::greater());
  for (const std::int64_t group : groups) {
    // No store came so far, and its ids go on behind what is found here.
    if (group > kMaxPlausibleGroup) continue;
    TaskId newest = 0;
    try {
      for (const AttemptId& attempt : list_attempts(attempts.get(), group)) {
        newest = std::max(newest, attempt.task);
      }
    } catch (const std::system_error& error) {
      // Something else in its place, or a damaged folder: it shows nobody's output, and the mark of
      // the store knows too how far that came.
      log::warn("a folder of attempts cannot be read", {{"error", error.what()}});
    }
    if (newest > 0) return newest;
  }
  return 0;
}

std::vector<AttemptId> list_attempts(int attempts_fd, std::int64_t group) {
  std::vector<AttemptId> attempts;
  for (const std::string& name : list_folder_at(attempts_fd, std::to_string(group))) {
    const auto attempt = parse_attempt(name);
    if (attempt && attempt->task / kTasksPerFolder == group) attempts.push_back(*attempt);
  }
  return attempts;
}

}  // namespace taskd
