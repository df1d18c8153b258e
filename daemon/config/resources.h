// The part of the configuration file that says what the machine has: [resources].
#pragma once

#include <toml++/toml.h>

#include <map>
#include <string>

#include "daemon/limits/demand.h"

namespace taskd {

// `gpu = [0, 1]` (units), `license = 3` (a count), `memory = "48G"` (bytes). `node` is the value of
// that key in `file`. Throws UsageError (78), which names file, line and setting.
std::map<std::string, Resource> read_resources(const std::string& file, const toml::node& node);

// As a table of a TOML document; "" without any.
std::string describe_resources(const std::map<std::string, Resource>& resources);

}  // namespace taskd
