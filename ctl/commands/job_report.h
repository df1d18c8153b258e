// Identifies the running job that this process belongs to, from the environment set by the daemon,
// and reports to the daemon.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "ctl/options/args.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

bool is_inside_job(const Environment& env);
// Throws UsageError (64) outside a job.
AttemptKey own_attempt(const Environment& env, std::string_view verb);
// The common start of a report's body.
nlohmann::json report_of(const AttemptKey& attempt);

// Sends a report to the daemon. A job outlives the daemon, and repeating a report is harmless:
// while no daemon answers, keeps trying for --timeout.
class Report {
 public:
  void declare(Args& args);
  bool names_timeout() const { return timeout_.has_value(); }
  // `what` is the last part of the path. Throws UsageError, Refused, DaemonAway or Failure.
  void send(Context& context, const CommonOptions& common, const AttemptKey& attempt,
            const std::string& what, const nlohmann::json& body) const;

 private:
  std::optional<std::string> timeout_;
};

}  // namespace taskd::ctl
