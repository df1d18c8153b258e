// Options of tasks in the configuration file. They have the names of the API's fields, but times
// are texts ("10m") and their names have no `_ms`, rates are "10/1m", and amounts may be sizes
// ("8G").
#pragma once

#include <toml++/toml.h>

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/limits/demand.h"
#include "daemon/task/queue_handler_defaults.h"

namespace taskd {

// Reads one setting into the field that it stands for. `where` is the setting's place. Throws
// UsageError (78) for a value that no field can have.
void read_task_option(const std::string& key, const toml::node& value, const std::string& where,
                      nlohmann::json& options);

// All of `table` as defaults; it stands in `file` and is called `name` there
// ("queues.mail.defaults"). Throws UsageError (78), also for needs that `machine` never meets.
nlohmann::json read_task_defaults(DefaultsOf owner, const std::string& file,
                                  const toml::table& table, const std::string& name,
                                  const Machine& machine);
// The same for options that are read already.
void check_task_options(DefaultsOf owner, const std::string& file, const toml::table& table,
                        const std::string& name, const nlohmann::json& options,
                        const Machine& machine);

// Refuses the first of the errors. `table` is where the options stand in `file`, called `name`
// there
// ("handlers.mail"); pointers begin with "#". Throws UsageError (78); returns without any.
void refuse_wrong_options(const std::string& file, const toml::table& table,
                          const std::string& name, const FieldErrors& errors);

// "timeout = \"10m\"\n…", as the file has it; "" without any.
std::string describe_task_options(const nlohmann::json& options);

// A text, and a value, as TOML has it.
std::string toml_text(std::string_view text);
std::string toml_value(const nlohmann::json& value);

}  // namespace taskd
