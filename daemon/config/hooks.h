// The tables [hooks.NAME] of the configuration file, and the files with their secrets.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"

namespace taskd {

// All of `hooks`, the value of that key in `file`. Throws UsageError (78) naming file, line and
// setting; also for a secret that is missing, empty, or open to others than its owner.
std::vector<Hook> read_hooks(const std::string& file, const toml::node& hooks);

// The entries of a queue's `notify`. Throws UsageError (78) naming `where`.
std::vector<Notify> read_notify_setting(const toml::node& node, const std::string& where);

// Every hook that is named is declared. Throws UsageError (78).
void check_notify(const std::vector<Notify>& list, const std::vector<Hook>& hooks,
                  const std::string& where);

// Without the secret.
std::string describe_hook(const Hook& hook);
// ["mail:failed"], as TOML has it.
std::string describe_notify(const std::vector<Notify>& list);

}  // namespace taskd
