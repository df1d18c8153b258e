// Reads the tables [hooks.NAME] of the configuration file, and the files with their secrets.
#pragma once

#include <toml++/toml.h>

#include <string>
#include <vector>

#include "daemon/hooks/hook_settings.h"

namespace taskd {

// `hooks` is the value of that key in `file`. Throws UsageError (78) naming file, line and setting;
// also for a secret file that is missing, empty, or accessible to others than its owner.
std::vector<Hook> read_hooks(const std::string& file, const toml::node& hooks);

// The entries of a queue's `notify`. Throws UsageError (78) naming `where`.
std::vector<Notify> read_notify_setting(const toml::node& node, const std::string& where);

// Throws UsageError (78) if a named hook is not declared.
void check_notify(const std::vector<Notify>& list, const std::vector<Hook>& hooks,
                  const std::string& where);

// Without the secret.
std::string describe_hook(const Hook& hook);
// In TOML: ["mail:failed"].
std::string describe_notify(const std::vector<Notify>& list);

}  // namespace taskd
