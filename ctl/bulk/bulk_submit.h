// `submit --from` and `submit --each-line`: many tasks from the lines of a file.
//
// Chunk after chunk is submitted under a key that says which it is, so that the same command, run
// again, submits nothing twice and goes on where it stopped.
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
  nlohmann::json defaults;           // the fields of those that leave them out
  // What makes the tasks those that they are, beside the lines: part of each key.
  std::string identity;
  std::optional<std::string> key;     // as given; else the keys follow from the lines
  std::int64_t wait_for_room_ms = 0;  // when a queue is full
  bool json = false;
  bool quiet = false;
  std::vector<TaskId>* ids = nullptr;  // all of them are added here
  bool prints = true;                  // the ids, or the tasks
};

// Prints the ids, or the tasks in JSON, chunk by chunk. Returns the exit code.
int submit_lines(Context& context, const Client& client, const BulkSubmit& bulk);

}  // namespace taskd::ctl
