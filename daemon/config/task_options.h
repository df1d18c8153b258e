// Task options in the configuration file. They have the names of the API's fields, but times are
// texts ("10m") and their names lack `_ms`, rates are "10/1m", and amounts may be sizes ("8G").
#pragma once

#include <toml++/toml.h>

#include <map>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "daemon/limits/demand.h"
#include "daemon/task/queue_handler_defaults.h"

namespace taskd {

// Reads one setting into its field. `where` is the setting's place. Throws UsageError (78) for a
// value that no field can have.
void read_task_option(const std::string& key, const toml::node& value, const std::string& where,
                      nlohmann::json& options);

// Reads all of `table` as defaults; `name` is its name in `file` ("queues.mail.defaults"). Throws
// UsageError (78), also for needs that `machine` can never meet.
nlohmann::json read_task_defaults(DefaultsOf owner, const std::string& file,
                                  const toml::table& table, const std::string& name,
                                  const Machine& machine);
// The same for options that were read before.
void check_task_options(DefaultsOf owner, const std::string& file, const toml::table& table,
                        const std::string& name, const nlohmann::json& options,
                        const Machine& machine);

// Throws UsageError (78) for the first of the errors; returns if there are none. `table` holds the
// options and is called `name` in `file` ("handlers.mail"); pointers begin with "#".
void refuse_wrong_options(const std::string& file, const toml::table& table,
                          const std::string& name, const FieldErrors& errors);

// As in the file: "timeout = \"10m\"
// …"; "" if there are none.
std::string describe_task_options(const nlohmann::json& options);

// A text, and a value, in TOML.
std::string toml_text(std::string_view text);
std::string toml_value(const nlohmann::json& value);

}  // namespace taskd
