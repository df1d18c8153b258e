#include "tests/support/daemon.h"

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>

#include "daemon/base/errors.h"
#include "daemon/base/unique_fd.h"

namespace taskd::test {
namespace {

// The datagram socket a service manager would listen on.
UniqueFd listen_for_notifications(const std::string& path) {
  ::unlink(path.c_str());
  UniqueFd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  REQUIRE(path.size() < sizeof address.sun_path);
  std::memcpy(address.sun_path, path.c_str(), path.size());
  if (!fd || ::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    throw_errno("bind " + path);
  }
  return fd;
}

}  // namespace

std::vector<int> listed_ids(const nlohmann::json& list) {
  std::vector<int> result;
  for (const auto& task : list.at("tasks")) result.push_back(task.at("id"));
  return result;
}

std::string taskd_path() {
  return TASKD_BINARY_DIR "/taskd";
}
std::string taskctl_path() {
  return TASKD_BINARY_DIR "/taskctl";
}

TestDaemon::TestDaemon(DaemonOptions options) : options_(std::move(options)) {
  start();
}

TestDaemon::~TestDaemon() {
  if (!child_) return;
  ctl({"cancel", "--state", "running"});
  ctl({"wait", "--state", "running", "--quiet", "--timeout", "20s"});
  child_->kill(SIGTERM);
  child_->wait();
}

void TestDaemon::start() {
  std::string config = options_.config;
  if (options_.for_all_users) {
    // Keys come before the first table.
    config = "socket_mode = \"0666\"\n" + config;
    std::filesystem::permissions(dir_.path(), std::filesystem::perms(0755));
  }
  write_text(dir_ / "taskctl.toml", config);
  std::vector<std::string> argv = {taskd_path(),
                                   "--config",
                                   dir_ / "taskctl.toml",
                                   "--state-dir",
                                   state_dir(),
                                   "--socket",
                                   socket(),
                                   "--ballast",
                                   "64KiB",
                                   "--workers",
                                   std::to_string(options_.workers)};
  argv.insert(argv.end(), options_.flags.begin(), options_.flags.end());
  if (!std::filesystem::exists(state_dir())) {
    std::vector<std::string> make = argv;
    make.push_back("--init");
    const RunResult made = run(make);
    REQUIRE_MESSAGE(made.exit_code == 0, "taskd --init: ", made.err);
  }
  const UniqueFd notifications = listen_for_notifications(dir_ / "notify");
  RunOptions options;
  options.env["NOTIFY_SOCKET"] = dir_ / "notify";
  options.output_file = dir_ / "log";
  child_ = std::make_unique<Child>(argv, options);
  wait_until_ready(notifications.get());
}

void TestDaemon::wait_until_ready(int notify_fd) {
  std::string said;
  while (said.find("READY=1") == std::string::npos) {
    pollfd fd{notify_fd, POLLIN, 0};
    while (::poll(&fd, 1, 100) == 0) {  // bounded only to notice a daemon that died
      REQUIRE_MESSAGE(!child_->ended_within(0), "taskd did not start: ", log());
    }
    char buffer[512];
    const ssize_t n = ::recv(notify_fd, buffer, sizeof buffer, 0);
    if (n > 0) said.append(buffer, static_cast<std::size_t>(n));
  }
}

RunResult TestDaemon::stop() {
  child_->kill(SIGTERM);
  return wait_for_end();
}

RunResult TestDaemon::wait_for_end() {
  RunResult result = child_->wait();
  child_.reset();
  return result;
}

void TestDaemon::kill9() {
  child_->kill(SIGKILL);
  child_->wait();
  child_.reset();
}

RunOptions TestDaemon::with_socket(RunOptions options) const {
  options.env["TASKD_SOCKET"] = socket();
  return options;
}

RunResult TestDaemon::ctl(const std::vector<std::string>& args, const RunOptions& options) const {
  std::vector<std::string> argv = {taskctl_path()};
  argv.insert(argv.end(), args.begin(), args.end());
  return run(argv, with_socket(options));
}

RunResult TestDaemon::shell(const std::string& line) const {
  RunOptions options = with_socket();
  options.env["T"] = taskctl_path();
  options.env["OUT"] = dir_ / "out";
  return run({"timeout", "60", "sh", "-c", line}, options);
}

nlohmann::json TestDaemon::ctl_json(std::vector<std::string> args) const {
  args.insert(args.begin() + 1, "--json");
  const RunResult result = ctl(args);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  return nlohmann::json::parse(result.out);
}

std::string TestDaemon::submit(std::vector<std::string> args) const {
  args.insert(args.begin(), "submit");
  RunResult result = ctl(args);
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  REQUIRE(result.out.ends_with("\n"));
  result.out.pop_back();
  return result.out;
}

nlohmann::json TestDaemon::show(const std::string& id) const {
  return ctl_json({"show", id}).at("tasks").at(0);
}

nlohmann::json TestDaemon::wait(const std::string& id) const {
  ctl({"wait", id, "--timeout", "60s"});
  const nlohmann::json task = show(id);
  REQUIRE_MESSAGE(task.at("ended_at").is_string(), "task ", id, " did not end within a minute");
  return task;
}

}  // namespace taskd::test
