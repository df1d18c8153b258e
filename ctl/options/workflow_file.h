// A workflow as people write it down: JSON, or TOML.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "wire/wire.h"

namespace taskd::ctl {

struct WorkflowFile {
  std::string name;  // fit to print
  nlohmann::json document;
  std::map<std::string, unsigned> lines;  // of TOML: where that stands which a pointer names
};

// The file at `path` ("-" = standard input), TOML if its name ends in .toml. Throws UsageError (65)
// naming file and place.
WorkflowFile read_workflow_file(const std::string& path);

// Why the daemon refuses it, by place: "release.toml:7: tasks.build.timeuot: unknown field". The
// problem has errors.
std::string describe_problem_of(const WorkflowFile& file, const Problem& problem);

// Gives the document's `defaults` for its tasks the members of these that it leaves out. What is no
// object is left alone, for the daemon to name.
void add_defaults(nlohmann::json& workflow, const nlohmann::json& defaults);

}  // namespace taskd::ctl
