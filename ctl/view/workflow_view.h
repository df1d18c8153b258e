// Workflows as people look at them.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/base/output.h"
#include "ctl/net/client.h"
#include "daemon/task/workflow.h"

namespace taskd::ctl {

// Or Failure (76).
Workflow read_workflow(const nlohmann::json& answer);

// The workflow's document with all of its tasks; `answer` has the first page of them.
nlohmann::json with_all_tasks(const Client& client, nlohmann::json answer);

// Takes out of the answers of wait_for_tasks() those of the workflow that were skipped: nothing
// has failed with them.
void drop_skipped(const Client& client, WorkflowId id, std::vector<nlohmann::json>& ended);

// The steps as a tree, a line each: a step stands below the one of its needs that comes last, and
// names the others. `unicode`: with lines of the box drawing characters.
std::vector<std::string> draw_workflow(const Workflow& workflow, const Painter& paint,
                                       bool unicode);

// Whether the locale's characters are UTF-8, going by the variables LC_ALL, LC_CTYPE and LANG.
bool is_utf8_locale(const char* lc_all, const char* lc_ctype, const char* lang);

}  // namespace taskd::ctl
