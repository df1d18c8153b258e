// Reads the table [resources] of the configuration file: what the machine has.
#pragma once

#include <toml++/toml.h>

#include <map>
#include <string>

#include "daemon/limits/demand.h"

namespace taskd {

// `gpu = [0, 1]` (units), `license = 3` (a count), `memory = "48G"` (bytes). `node` is the value of
// that key in `file`. Throws UsageError (78) naming file, line and setting.
std::map<std::string, Resource> read_resources(const std::string& file, const toml::node& node);

// As a table of a TOML document; "" if there are none.
std::string describe_resources(const std::map<std::string, Resource>& resources);

}  // namespace taskd
