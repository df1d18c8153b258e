// Reads lines of a file as tasks and groups them into chunks, each of which is submitted whole or
// not at all.
//
// Chunk boundaries depend only on the lines, so the same lines always give the same chunks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ctl/bulk/line_source.h"

namespace taskd::ctl {

// Takes some ten milliseconds of the daemon's writer.
inline constexpr std::size_t kChunkTasks = 1000;
// Limit of tasks together; a longer task is alone in its chunk.
inline constexpr std::size_t kChunkBytes = 512 * 1024;

// "FILE:17".
std::string line_name(const std::string& file, std::int64_t line);

struct Chunk {
  std::vector<std::string> tasks;   // JSON objects
  std::vector<std::int64_t> lines;  // line number of each task
};

class TaskLines {
 public:
  // If `command` is empty, lines are tasks in JSON. Otherwise each line completes the command: it
  // replaces every "{}", or becomes the last argument. `source` must outlive this object.
  TaskLines(LineSource& source, std::vector<std::string> command);

  // The tasks of the next lines that are not blank; none at the end. Throws Failure (65) naming an
  // invalid line, and what LineSource throws.
  Chunk next();

 private:
  bool read_task(std::string& task);  // false at the end

  LineSource& source_;
  const std::vector<std::string> command_;
  std::string waiting_;  // a task that did not fit into the previous chunk; "" = none
};

// The command completed with the line, as JSON: {"argv":[…]}.
std::string complete_command(const std::vector<std::string>& command, std::string_view line);

}  // namespace taskd::ctl
