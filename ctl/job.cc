#include "ctl/job.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "ctl/failure.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {

bool is_inside_job(const Environment& env) {
  return env.get("TASKD_TASK_ID") != nullptr && env.get("TASKD_ATTEMPT") != nullptr &&
         env.get("TASKD_TOKEN") != nullptr;
}

AttemptKey own_attempt(const Environment& env, std::string_view verb) {
  if (!is_inside_job(env))
    throw UsageError(kExitUsage, std::string(verb) +
                                     " works inside a job only, where TASKD_TASK_ID, TASKD_ATTEMPT "
                                     "and TASKD_TOKEN say which");
  const auto task = parse_int(env.get("TASKD_TASK_ID"));
  const auto attempt = parse_int(env.get("TASKD_ATTEMPT"));
  if (!task || *task < 1 || !attempt || *attempt < 1 || *attempt > std::numeric_limits<int>::max())
    throw UsageError(kExitUsage, "TASKD_TASK_ID or TASKD_ATTEMPT is not what the daemon set");
  return {*task, static_cast<int>(*attempt), env.get("TASKD_TOKEN")};
}

nlohmann::json report_of(const AttemptKey& attempt) {
  return {{"attempt", attempt.attempt}, {"token", attempt.token}};
}

}  // namespace taskd::ctl
