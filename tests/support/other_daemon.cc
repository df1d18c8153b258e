#include "tests/support/other_daemon.h"

#include <algorithm>
#include <csignal>

namespace taskd::test {

std::vector<std::string> taskd_on(const std::string& state_dir, const TempDir& place,
                                  const std::vector<std::string>& more) {
  write_text(place / "taskctl.toml", "");
  std::vector<std::string> argv = {taskd_path(), "--config", place / "taskctl.toml", "--state-dir",
                                   state_dir,    "--socket", place / "sock"};
  if (std::ranges::find(more, "--ballast") == more.end()) {
    argv.insert(argv.end(), {"--ballast", "64KiB"});
  }
  argv.insert(argv.end(), more.begin(), more.end());
  return argv;
}

OtherDaemon::OtherDaemon(const std::string& state_dir, const std::vector<std::string>& more) {
  child_ = std::make_unique<Child>(taskd_on(state_dir, place_, more));
  wait_for_file(place_ / "sock");
}

RunResult OtherDaemon::ctl(const std::vector<std::string>& args) const {
  std::vector<std::string> argv = {taskctl_path(), "--socket", place_ / "sock"};
  argv.insert(argv.end(), args.begin(), args.end());
  return run(argv);
}

RunResult OtherDaemon::stop() {
  child_->kill(SIGTERM);
  return child_->wait();
}

}  // namespace taskd::test
