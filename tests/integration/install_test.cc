#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/daemon.h"

using namespace taskd::test;
namespace fs = std::filesystem;

namespace {

// A daemon of its own, which runs a task and ends.
void serve_and_stop(const std::string& taskctl, const TempDir& dir) {
  write_text(dir / "empty.toml", "");
  std::vector<std::string> argv = {taskctl,       "daemon",      "--config", dir / "empty.toml",
                                   "--state-dir", dir / "state", "--socket", dir / "sock"};
  std::vector<std::string> make = argv;
  make.push_back("--init");
  REQUIRE(run(make).exit_code == 0);
  Child daemon(argv);
  daemon.wait_for_output("taskd is up");
  const RunResult answer =
      run({taskctl, "--socket", dir / "sock", "submit", "--wait", "--", "true"});
  CHECK_MESSAGE(answer.exit_code == 0, answer.err);
  daemon.kill(SIGTERM);
  CHECK(daemon.wait().exit_code == 0);
}

}  // namespace

TEST_CASE("what is installed is called taskctl outside of libexec, and starts from there") {
  const TempDir dir;
  const fs::path usr = fs::path(dir.path()) / "usr";
  const RunResult install = run({"cmake", "--install", TASKD_BINARY_DIR, "--prefix", usr});
  REQUIRE_MESSAGE(install.exit_code == 0, install.err);
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(usr)) {
    const fs::path place = entry.path().lexically_relative(usr);
    CAPTURE(place);
    if (place.parent_path() == "libexec/taskctl") continue;
    CHECK(place.filename().string().find("taskd") == std::string::npos);
  }
  for (const char* name :
       {"bin/taskctl", "libexec/taskctl/taskd", "libexec/taskctl/taskd-shim",
        "libexec/taskctl/taskctl-jobs", "lib/systemd/system/taskctl.service",
        "lib/systemd/user/taskctl.socket", "lib/sysusers.d/taskctl.conf",
        "share/man/man8/taskctl-daemon.8", "share/doc/taskctl/examples/taskctl.toml"}) {
    CAPTURE(name);
    CHECK(fs::exists(usr / name));
  }
  serve_and_stop(usr / "bin/taskctl", dir);
}

TEST_CASE("taskctl daemon starts the daemon that was built with it, and passes all options on") {
  const TempDir dir;
  serve_and_stop(taskctl_path(), dir);
  const RunResult version = run({taskctl_path(), "daemon", "--version"});
  CHECK(version.exit_code == 0);
  CHECK(version.out == run({taskd_path(), "--version"}).out);
  const std::string help = run({taskd_path(), "--help"}).out;
  CHECK(help.find("Usage: taskctl daemon [OPTIONS]") != std::string::npos);
  CHECK(run({taskctl_path(), "daemon", "--help"}).out == help);
  CHECK(run({taskctl_path(), "help", "daemon"}).out == help);
  CHECK(run({taskctl_path(), "daemon", "--no-such-option"}).exit_code == 64);
}

TEST_CASE("a taskctl without its daemon names what is missing, and starts no other taskd") {
  const TempDir dir;
  fs::create_directory(dir / "bin");
  fs::copy_file(taskctl_path(), dir / "bin/taskctl");
  write_text(dir / "bin/taskd", "#!/bin/sh\necho the other one\n");
  fs::permissions(dir / "bin/taskd", fs::perms(0755));
  const RunResult result = run({dir / "bin/taskctl", "daemon"});
  CHECK(result.exit_code == 69);
  CHECK(result.out == "");
  CHECK(result.err == "taskctl: cannot start the daemon " + (dir / "libexec/taskctl/taskd") +
                          ": No such file or directory\n");
}
