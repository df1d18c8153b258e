#include "ctl/bulk/task_lines.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <variant>

#include "ctl/base/failure.h"
#include "daemon/base/text.h"
#include "daemon/task/spec_json.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kMaxLineBytes = std::size_t{1} << 20;
constexpr std::string_view kPlace = "{}";

bool is_blank(std::string_view line) {
  return line.find_first_not_of(" \t\r") == std::string_view::npos;
}

// What is wrong with the line, or "".
std::string find_fault(std::string_view line) {
  const auto parsed = parse_strict_json(line);
  const auto* error = std::get_if<JsonError>(&parsed);
  if (error == nullptr) return "";
  return "not a task in JSON: at byte " + std::to_string(error->offset_bytes) + ": " +
         error->detail;
}

std::string find_fault_in_argument(std::string_view line) {
  if (line.find('\0') != std::string_view::npos) return "contains a NUL byte";
  return "";
}

}  // namespace

std::string line_name(const std::string& file, std::int64_t line) {
  return file + ":" + std::to_string(line);
}

std::string complete_command(const std::vector<std::string>& command, std::string_view line) {
  nlohmann::json argv = nlohmann::json::array();
  bool placed = false;
  for (const std::string& word : command) {
    std::string out;
    std::size_t done = 0;
    for (std::size_t at; (at = word.find(kPlace, done)) != std::string::npos; placed = true) {
      out.append(word, done, at - done).append(line);
      done = at + kPlace.size();
    }
    argv.push_back(bytes_to_json(out.append(word, done)));
  }
  if (!placed) argv.push_back(bytes_to_json(line));
  return nlohmann::json{{"argv", std::move(argv)}}.dump();
}

TaskLines::TaskLines(LineSource& source, std::vector<std::string> command)
    : source_(source), command_(std::move(command)) {}

bool TaskLines::read_task(std::string& task) {
  std::string line;
  do {
    if (!source_.next(line, kMaxLineBytes)) return false;
  } while (command_.empty() ? is_blank(line) : line.empty());
  const std::string fault = command_.empty() ? find_fault(line) : find_fault_in_argument(line);
  if (!fault.empty())
    throw Failure(kExitBadData,
                  line_name(source_.name(), source_.number()) + ": " + escape_for_humans(fault));
  task = command_.empty() ? std::move(line) : complete_command(command_, line);
  return true;
}

Chunk TaskLines::next() {
  Chunk chunk;
  std::size_t bytes = 0;
  while (chunk.tasks.size() < kChunkTasks) {
    std::string task = std::exchange(waiting_, {});
    if (task.empty() && !read_task(task)) break;
    bytes += task.size();
    if (!chunk.tasks.empty() && bytes > kChunkBytes) {
      waiting_ = std::move(task);
      break;
    }
    chunk.tasks.push_back(std::move(task));
    // Also right for a waiting task: nothing was read since.
    chunk.lines.push_back(source_.number());
  }
  return chunk;
}

}  // namespace taskd::ctl
