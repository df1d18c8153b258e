// `submit --from` and `submit --each-line`: many tasks from the lines of a file.
//
// Submits chunk after chunk, each under a key that identifies it. So the same command, run again,
// submits nothing twice and continues where it stopped.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "ctl/base/context.h"
#include "ctl/bulk/line_source.h"
#include "ctl/net/client.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

struct BulkSubmit {
  std::string path;                  // "-" = stdin
  LineSource::End ends = LineSource::End::line;
  std::vector<std::string> command;  // for --each-line; empty: the lines are tasks in JSON
  nlohmann::json defaults;           // fields for tasks that omit them
  // Identifies the tasks beyond their lines: part of each key.
  std::string identity;
  std::optional<std::string> key;     // as given; otherwise the keys are derived from the lines
  std::int64_t wait_for_room_ms = 0;  // when a queue is full
  bool json = false;
  bool quiet = false;
  std::vector<TaskId>* ids = nullptr;  // receives all ids
  bool prints = true;                  // whether to print ids or tasks
};

// Prints the ids, or the tasks in JSON, chunk by chunk. Returns the exit code.
int submit_lines(Context& context, const Client& client, const BulkSubmit& bulk);

}  // namespace taskd::ctl
