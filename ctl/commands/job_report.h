// Who this process is, when it is (a part of) a running job: what the daemon put into its
// environment.
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
// Throws UsageError (64) outside of a job.
AttemptKey own_attempt(const Environment& env, std::string_view verb);
// The beginning of a report's body.
nlohmann::json report_of(const AttemptKey& attempt);

// Hands a report to the daemon. A job outlives the daemon, and a repeated report does no harm:
// while nobody answers it is tried again, for --timeout.
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
