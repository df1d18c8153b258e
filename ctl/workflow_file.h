// A workflow as people write it down: JSON, or TOML.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace taskd::ctl {

// The document in `path` ("-" = standard input), TOML if its name ends in .toml. Throws UsageError
// (65, 66 for a file that is not there) naming file and place.
nlohmann::json read_workflow_file(const std::string& path);

// Gives each task of the document the members of `defaults` that it leaves out. What is no task is
// left alone, for the daemon to name.
void fill_in_tasks(nlohmann::json& workflow, const nlohmann::json& defaults);

}  // namespace taskd::ctl
