#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "ctl/base/failure.h"
#include "ctl/commands/verbs.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

namespace fs = std::filesystem;

// In a build tree taskd, its shim and taskctl are in one folder; installed, it is
// ../libexec/taskctl/taskd. The shim decides, since a taskd beside an installed taskctl would be
// another program of this name.
std::string daemon_path() {
  const fs::path folder = fs::read_symlink("/proc/self/exe").parent_path();
  if (::access((folder / "taskd-shim").c_str(), X_OK) == 0) return folder / "taskd";
  return folder.parent_path() / "libexec/taskctl/taskd";
}

}  // namespace

// Becomes the daemon, which reads all remaining arguments, including --help.
int daemon_command(Context&, const Words& argv) {
  std::string path = daemon_path();
  std::vector<char*> words{path.data()};
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  std::signal(SIGPIPE, SIG_DFL);  // main() ignores it, and a program would inherit that
  ::execv(path.c_str(), words.data());
  const int error = errno;
  throw Failure(exit_code_of_errno(error, kExitNoDaemon),
                "cannot start the daemon " + escape_for_humans(path) + ": " + std::strerror(error));
}

}  // namespace taskd::ctl
