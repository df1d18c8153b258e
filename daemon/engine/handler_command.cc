#include "daemon/engine/handler_command.h"

#include "daemon/engine/attempt_environment.h"

namespace taskd {

std::optional<Launch> launch_of(const Claim& claim, const Handlers& handlers) {
  Launch launch{claim.task, claim.attempt, claim.token,
                claim.uid,  claim.spec,    environment_of(claim)};
  if (claim.spec.handler.empty()) return launch;
  const Handler* handler = handlers.find(claim.spec.handler);
  if (handler == nullptr) return std::nullopt;
  launch.spec.argv = handler->argv;
  launch.spec.shell = handler->shell;
  launch.spec.env = handler->env;
  launch.spec.cwd = handler->cwd;
  launch.extra_env["TASKD_HANDLER"] = claim.spec.handler;
  launch.files.push_back({kPayloadFile, "TASKD_PAYLOAD_FILE", [&claim](const auto& write) {
                            write(claim.spec.payload.empty() ? "null" : claim.spec.payload);
                          }});
  launch.uid = handler->user_uid.value_or(launch.uid);
  return launch;
}

}  // namespace taskd
