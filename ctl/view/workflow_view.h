// Shows workflows.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "ctl/base/output.h"
#include "ctl/net/client.h"
#include "daemon/task/workflow.h"

namespace taskd::ctl {

// Throws Failure (76).
Workflow read_workflow(const nlohmann::json& answer);

// The workflow's document with all of its tasks; `answer` contains the first page of them.
nlohmann::json with_all_tasks(const Client& client, nlohmann::json answer);

// Removes the workflow's skipped tasks from the answers of wait_for_tasks(), since they did not
// fail.
void drop_skipped(const Client& client, WorkflowId id, std::vector<nlohmann::json>& ended);

// The steps as a tree, one line each. A step is below the last of its needs, and names the others.
// `unicode`: uses box drawing characters.
std::vector<std::string> draw_workflow(const Workflow& workflow, const Painter& paint,
                                       bool unicode);

// Whether the locale uses UTF-8, judging by LC_ALL, LC_CTYPE and LANG.
bool is_utf8_locale(const char* lc_all, const char* lc_ctype, const char* lang);

}  // namespace taskd::ctl
