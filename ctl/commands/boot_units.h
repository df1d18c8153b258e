// Checks whether systemd starts the daemon at boot, for `doctor`. Used by one thread.
#pragma once

#include <optional>
#include <string>

#include "ctl/base/context.h"

namespace taskd::ctl {

enum class Manager { system, user };

// Which manager's unit the daemon at this socket belongs to, judging by the paths in the units.
// Nothing if systemd is not running, or the socket is elsewhere: then something else starts it.
std::optional<Manager> manager_of(const std::string& socket, const Environment& env);

// The output of `systemctl is-enabled UNIT`, such as "enabled" or "disabled"; "" if there is no
// systemctl, no such unit, or no answer within five seconds.
std::string enablement_of(Manager manager, const std::string& unit, const Environment& env);

}  // namespace taskd::ctl
