// The tables of the configuration file: what the machine has, and the hooks, queues and handlers.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <string_view>

#include "daemon/config/config.h"

namespace taskd {

// Whether the key at the top of the file is one of these tables.
bool is_table(std::string_view key);

// Reads them into `config`, whose workers are known by now, whoever says how many: nothing may need
// more slots. Throws UsageError (78), which names file, line and setting.
void read_tables(const std::string& file, const toml::table& document, Config& config);

}  // namespace taskd
