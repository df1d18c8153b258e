// The real taskd on a state directory of its own, and the real taskctl talking to it.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace taskd::test {

struct DaemonOptions {
  int workers = 2;
  std::string config = {};  // text of a configuration file
  std::vector<std::string> flags = {};
  // Every user may ask it: see users.h. For a daemon of root.
  bool for_all_users = false;
};

// Starts in the constructor and serves when that returns. The destructor stops it and ends what
// jobs still run.
class TestDaemon {
 public:
  explicit TestDaemon(DaemonOptions options = {});
  ~TestDaemon();

  const TempDir& dir() const { return dir_; }
  std::string socket() const { return dir_ / "sock"; }
  std::string state_dir() const { return dir_ / "state"; }
  pid_t pid() const { return child_->pid(); }

  void start();
  // Of the next start.
  void set_config(const std::string& config) { options_.config = config; }
  RunResult stop();  // SIGTERM
  RunResult wait_for_end();  // of itself
  std::string log() const { return read_text(dir_ / "log"); }
  void kill9();
  void restart_after_kill9() {
    kill9();
    start();
  }

  // taskctl with this daemon's socket.
  RunResult ctl(const std::vector<std::string>& args, const RunOptions& options = {}) const;
  // The same with --json; fails the test unless it exits 0.
  nlohmann::json ctl_json(std::vector<std::string> args) const;
  // A line of the shell, in which $T is taskctl and $OUT a file in dir().
  RunResult shell(const std::string& line) const;
  // Submits by taskctl and returns the id it printed.
  std::string submit(std::vector<std::string> args) const;
  // The task as `taskctl show --json` gives it.
  nlohmann::json show(const std::string& id) const;
  // Waits until the task has ended and returns it.
  nlohmann::json wait(const std::string& id) const;
  std::string state(const std::string& id) const { return show(id).at("state"); }
  // What a program needs to find this daemon, for SystemUsers::run().
  RunOptions with_socket(RunOptions options = {}) const;

 private:
  void wait_until_ready(int notify_fd);

  DaemonOptions options_;
  TempDir dir_;
  std::unique_ptr<Child> child_;
};

// The ids of the tasks in what `taskctl list --json` printed.
std::vector<int> listed_ids(const nlohmann::json& list);

std::string taskd_path();
std::string taskctl_path();

}  // namespace taskd::test
