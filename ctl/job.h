// Who this process is, when it is (a part of) a running job: what the daemon put into its
// environment.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include "ctl/context.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

bool is_inside_job(const Environment& env);
// Throws UsageError (64) outside of a job.
AttemptKey own_attempt(const Environment& env, std::string_view verb);
// The beginning of a report's body.
nlohmann::json report_of(const AttemptKey& attempt);

}  // namespace taskd::ctl
