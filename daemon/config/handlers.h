// The tables [handlers.NAME] of the configuration file.
#pragma once

#include <toml++/toml.h>

#include <map>
#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"
#include "daemon/limits/demand.h"
#include "daemon/task/handler.h"

namespace taskd {

// All of `handlers`, the value of that key in `file`. Throws UsageError (78) naming file, line and
// setting; also for a user that is not there, a hook that is not among `hooks`, and for needs that
// `machine` never meets.
std::map<std::string, Handler> read_handlers(const std::string& file, const toml::node& handlers,
                                             const std::vector<Hook>& hooks,
                                             const Machine& machine);

// As a table of a TOML document. Values of env are not shown.
std::string describe_handler(const std::string& name, const Handler& handler);

}  // namespace taskd
