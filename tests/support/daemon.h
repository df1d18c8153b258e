// The real taskd on its own state directory, and the real taskctl talking to it.
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
  // Lets every user connect: see users.h. Requires a daemon run by root.
  bool for_all_users = false;
};

// The constructor starts it and returns once it serves. The destructor stops it and ends remaining
// jobs.
class TestDaemon {
 public:
  explicit TestDaemon(DaemonOptions options = {});
  ~TestDaemon();

  const TempDir& dir() const { return dir_; }
  std::string socket() const { return dir_ / "sock"; }
  std::string state_dir() const { return dir_ / "state"; }
  pid_t pid() const { return child_->pid(); }

  void start();
  // Applies from the next start.
  void set_config(const std::string& config) { options_.config = config; }
  RunResult stop();  // SIGTERM
  RunResult wait_for_end();  // waits until it ends by itself
  std::string log() const { return read_text(dir_ / "log"); }
  void kill9();
  void restart_after_kill9() {
    kill9();
    start();
  }

  // taskctl with this daemon's socket.
  RunResult ctl(const std::vector<std::string>& args, const RunOptions& options = {}) const;
  // The same with --json; fails the test unless it exits with 0.
  nlohmann::json ctl_json(std::vector<std::string> args) const;
  // Runs a line of shell, in which $T is taskctl and $OUT a file in dir().
  RunResult shell(const std::string& line) const;
  // Submits with taskctl and returns the printed id.
  std::string submit(std::vector<std::string> args) const;
  // The task from `taskctl show --json`.
  nlohmann::json show(const std::string& id) const;
  // Waits until the task has ended and returns it.
  nlohmann::json wait(const std::string& id) const;
  std::string state(const std::string& id) const { return show(id).at("state"); }
  // Options for SystemUsers::run() that let the program find this daemon.
  RunOptions with_socket(RunOptions options = {}) const;

 private:
  void wait_until_ready(int notify_fd);

  DaemonOptions options_;
  TempDir dir_;
  std::unique_ptr<Child> child_;
};

// The ids of the tasks in the output of `taskctl list --json`.
std::vector<int> listed_ids(const nlohmann::json& list);

std::string taskd_path();
std::string taskctl_path();

}  // namespace taskd::test
