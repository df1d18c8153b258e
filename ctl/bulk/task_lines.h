// Lines of a file as tasks, gathered into chunks that are each submitted whole or not at all.
//
// Where a chunk ends follows from the lines alone, so that the same lines make the same chunks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/bulk/line_source.h"

namespace taskd::ctl {

// Some ten milliseconds of the daemon's writer.
inline constexpr std::size_t kChunkTasks = 1000;
inline constexpr std::size_t kChunkBytes = 512 * 1024;  // of tasks; a longer one is alone

// "FILE:17".
std::string line_name(const std::string& file, std::int64_t line);

struct Chunk {
  std::vector<std::string> tasks;   // JSON objects
  std::vector<std::int64_t> lines;  // where each stood
};

class TaskLines {
 public:
  // `command` is empty where the lines are tasks in JSON; else each line completes it: it replaces
  // every "{}", or becomes the last argument. `source` outlives it.
  TaskLines(LineSource& source, std::vector<std::string> command);

  // The next lines that are not blank; no tasks at the end. Throws Failure (65) naming a line that
  // is wrong, and what LineSource throws.
  Chunk next();

 private:
  bool read_task(std::string& task);  // false at the end

  LineSource& source_;
  const std::vector<std::string> command_;
  std::string waiting_;  // a task that no longer went into the chunk before; "" = none
};

// The command with the line in its place, as JSON: {"argv":[…]}.
std::string complete_command(const std::vector<std::string>& command, std::string_view line);

}  // namespace taskd::ctl
