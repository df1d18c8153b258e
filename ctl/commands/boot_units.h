// Whether systemd would start the daemon at boot, for `doctor`. One thread.
#pragma once

#include <optional>
#include <string>

#include "ctl/base/context.h"

namespace taskd::ctl {

enum class Manager { system, user };

// Whose unit the daemon at this socket would be, by the places that the units name. Nothing where
// systemd does not run, or the socket lies elsewhere: then somebody else sees to its start.
std::optional<Manager> manager_of(const std::string& socket, const Environment& env);

// What `systemctl is-enabled UNIT` says, such as "enabled" or "disabled"; "" where there is no
// systemctl, no such unit, or no answer within five seconds.
std::string enablement_of(Manager manager, const std::string& unit, const Environment& env);

}  // namespace taskd::ctl
