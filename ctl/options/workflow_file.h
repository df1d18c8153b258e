// Workflow files: JSON or TOML.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "wire/wire.h"

namespace taskd::ctl {

struct WorkflowFile {
  std::string name;  // escaped for printing
  nlohmann::json document;
  std::map<std::string, unsigned> lines;  // for TOML: line numbers by JSON pointer
};

// Reads `path` ("-" = stdin), as TOML if its name ends in .toml. Throws UsageError (65) naming file
// and place.
WorkflowFile read_workflow_file(const std::string& path);

// Why the daemon refused it, with places: "release.toml:7: tasks.build.timeuot: unknown field". The
// problem must have errors.
std::string describe_problem_of(const WorkflowFile& file, const Problem& problem);

// Fills the document's `defaults` with the members that it omits. Leaves invalid values for the
// daemon to report.
void add_defaults(nlohmann::json& workflow, const nlohmann::json& defaults);

}  // namespace taskd::ctl
