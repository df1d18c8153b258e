// Reads the tables [queues.NAME] of the configuration file.
#pragma once

#include <toml++/toml.h>

#include <map>
#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"
#include "daemon/limits/demand.h"
#include "daemon/limits/queue.h"

namespace taskd {

// `queues` is the value of that key in `file`. Throws UsageError (78) naming file, line and
// setting; also for a hook that is not among `hooks`, and defaults with needs that `machine` can
// never meet.
std::vector<QueuePatch> read_queues(const std::string& file, const toml::node& queues,
                                    const std::vector<Hook>& hooks, const Machine& machine);

// As a table of a TOML document.
std::string describe_queue(const QueuePatch& queue);

}  // namespace taskd
