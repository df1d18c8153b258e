#include "daemon/engine/handler_command.h"

#include "daemon/engine/attempt_environment.h"

namespace taskd {
namespace {

void add_user(Launch& launch, const KnownUser& user) {
  for (const KnownUser& known : launch.users) {
    if (known.uid == user.uid) return;
  }
  launch.users.push_back(user);
}

void take_command(const Claim& claim, const Handler& handler, Launch& launch) {
  launch.spec.argv = handler.argv;
  launch.spec.shell = handler.shell;
  launch.spec.env = handler.env;
  launch.spec.cwd = handler.cwd;
  launch.spec.process.umask = handler.umask;
  launch.extra_env["TASKD_HANDLER"] = claim.spec.handler;
  launch.files.push_back({kPayloadFile, "TASKD_PAYLOAD_FILE", [&claim](const auto& write) {
                            write(claim.spec.payload.empty() ? "null" : claim.spec.payload);
                          }});
}

}  // namespace

std::variant<Launch, std::string> launch_of(const Claim& claim, const Handlers& handlers,
                                            const std::optional<KnownUser>& owner) {
  const std::string& name = claim.spec.handler;
  const Handler* handler = name.empty() ? nullptr : handlers.find(name);
  if (name.empty() && handlers.only) {
    return "this daemon runs only the handlers that its configuration declares, and no commands";
  }
  if (!name.empty() && handler == nullptr) {
    return "there is no handler \"" + name + "\" in the daemon's configuration any more";
  }
  Launch launch{claim.task, claim.attempt, claim.token, run_as(claim.uid, claim.spec, handler),
                claim.spec, claim.secret,  {},          environment_of(claim)};
  if (!may_run_as(claim.uid, launch.uid, handler)) {
    return "a task of uid " + std::to_string(claim.uid) + " may not run as uid " +
           std::to_string(launch.uid);
  }
  if (owner) add_user(launch, *owner);
  if (handler != nullptr && handler->user_uid) {
    add_user(launch, {launch.uid, handler->user_name, false});
  } else if (claim.spec.user_uid) {
    add_user(launch, {launch.uid, claim.spec.user_was, false});
  }
  if (handler != nullptr) take_command(claim, *handler, launch);
  return launch;
}

}  // namespace taskd
