// Resolves the setting `cgroup` of the configuration to a folder.
#pragma once

#include <string>

namespace taskd {

// The folder in which the jobs' cgroups are created, or "". "auto" is a sibling of the daemon's own
// unit, if there is a writable one. Throws UsageError (78) for an unusable folder.
std::string resolve_cgroup(const std::string& cgroup);

}  // namespace taskd
