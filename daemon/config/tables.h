// Reads the tables of the configuration file: resources, hooks, queues and handlers.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "daemon/config/config.h"

namespace taskd {

// Whether this top-level key is one of these tables.
bool is_table(std::string_view key);

// Reads them into `config`. The number of workers must be final, since nothing may need more slots.
// Throws UsageError (78) naming file, line and setting.
void read_tables(const std::string& file, const toml::table& document, Config& config);

}  // namespace taskd
