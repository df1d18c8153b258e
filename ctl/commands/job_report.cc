#include "ctl/commands/job_report.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <string>

#include "ctl/base/failure.h"
#include "ctl/options/connect.h"
#include "ctl/options/when.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::int64_t kReportTimeoutMs = 30'000;

}  // namespace

bool is_inside_job(const Environment& env) {
  return env.get("TASKD_TASK_ID") != nullptr && env.get("TASKD_ATTEMPT") != nullptr &&
         env.get("TASKD_TOKEN") != nullptr;
}

AttemptKey own_attempt(const Environment& env, std::string_view verb) {
  if (!is_inside_job(env))
    throw UsageError(kExitUsage, std::string(verb) +
                                     " works only inside a job, where TASKD_TASK_ID, TASKD_ATTEMPT "
                                     "and TASKD_TOKEN identify it");
  const auto task = parse_int(env.get("TASKD_TASK_ID"));
  const auto attempt = parse_int(env.get("TASKD_ATTEMPT"));
  if (!task || *task < 1 || !attempt || *attempt < 1 || *attempt > std::numeric_limits<int>::max())
    throw UsageError(kExitUsage,
                     "TASKD_TASK_ID or TASKD_ATTEMPT is not the number that the daemon set");
  return {*task, static_cast<int>(*attempt), env.get("TASKD_TOKEN")};
}

nlohmann::json report_of(const AttemptKey& attempt) {
  return {{"attempt", attempt.attempt}, {"token", attempt.token}};
}

void Report::declare(Args& args) {
  args.option("--timeout", "TIME", timeout_,
              "keep trying this long while no daemon answers, such\n"
              "as during a restart (default: 30s; 0 = once)");
}

void Report::send(Context& context, const CommonOptions& common, const AttemptKey& attempt,
                  const std::string& what, const nlohmann::json& body) const {
  ReconnectBackoff backoff(context,
                           timeout_ ? duration_flag("--timeout", *timeout_) : kReportTimeoutMs);
  const Client client = connect(context, common);
  const std::string target = "/v1/tasks/" + std::to_string(attempt.task) + "/" + what;
  for (;;) {
    try {
      client.post(target, body);
      return;
    } catch (const DaemonAway& away) {
      backoff.after(away);
    }
  }
}

}  // namespace taskd::ctl
