// The setting `cgroup` of the configuration, made a folder.
#pragma once

#include <string>

namespace taskd {

// The folder in which the jobs' cgroups are made, or "". "auto" is the neighbour of the daemon's
// own unit, where there is one that it may write. Throws UsageError (78) for a folder that is none.
std::string resolve_cgroup(const std::string& cgroup);

}  // namespace taskd
