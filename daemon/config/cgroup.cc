#include "daemon/config/cgroup.h"

#include <sysexits.h>
#include <unistd.h>

#include "daemon/base/errors.h"
#include "daemon/base/files.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

// cgroup.kill exists since Linux 5.14.
bool can_hold_jobs(const std::string& cgroup) {
  return ::access((cgroup + "/cgroup.procs").c_str(), W_OK) == 0 &&
         ::access((cgroup + "/cgroup.kill").c_str(), W_OK) == 0;
}

}  // namespace

std::string resolve_cgroup(const std::string& cgroup) {
  if (cgroup == "off") return "";
  if (cgroup != "auto") {
    if (can_hold_jobs(cgroup)) return cgroup;
    throw UsageError(EX_CONFIG, "cgroup = \"" + escape_for_humans(cgroup) +
                                    "\": not a cgroup v2 folder that this user may write");
  }
  // A sibling of our own unit: /system.slice/taskctl.service -> /system.slice/taskctl-jobs.service
  const auto own = read_file("/proc/self/cgroup", 4096);
  if (!own) return "";
  const auto line = own->find("0::");
  if (line == std::string::npos) return "";
  std::string path = own->substr(line + 3, own->find('\n', line) - line - 3);
  if (!path.ends_with("/taskctl.service")) return "";
  path.resize(path.rfind('/') + 1);
  path = "/sys/fs/cgroup" + path + "taskctl-jobs.service";
  return can_hold_jobs(path) ? path : "";
}

}  // namespace taskd
