// Reads the tables [handlers.NAME] of the configuration file.
#pragma once

#include <toml++/toml.h>

#include <map>
#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"
#include "daemon/limits/demand.h"
#include "daemon/task/handler.h"

namespace taskd {

// `handlers` is the value of that key in `file`. Throws UsageError (78) naming file, line and
// setting; also for an unknown user, a hook that is not among `hooks`, and needs that `machine` can
// never meet.
std::map<std::string, Handler> read_handlers(const std::string& file, const toml::node& handlers,
                                             const std::vector<Hook>& hooks,
                                             const Machine& machine);

// As a table of a TOML document. Hides values of env.
std::string describe_handler(const std::string& name, const Handler& handler);

}  // namespace taskd
