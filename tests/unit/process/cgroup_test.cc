// The same promises with a cgroup around each command. Demand a cgroup v2 hierarchy that may be
// written; elsewhere there is nothing to test.

#include <fstream>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

// A cgroup of our own, or "".
std::string make_root() {
  for (const std::string base : {"/sys/fs/cgroup", "/sys/fs/cgroup/unified"}) {
    const std::string path = base + "/taskd-test-" + random_token();
    if (!std::filesystem::exists(base + "/cgroup.procs")) continue;
    if (::mkdir(path.c_str(), 0755) == 0) return path;
  }
  return "";
}

struct CgroupFixture : Fixture {
  CgroupFixture() { config.cgroup_root = make_root(); }
  ~CgroupFixture() {
    if (config.cgroup_root.empty()) return;
    for (const char* sub : {"/shims", "/tasks", ""}) {
      CHECK(::rmdir((config.cgroup_root + sub).c_str()) == 0);
    }
  }
  bool absent() const { return config.cgroup_root.empty(); }
};

TEST_CASE_FIXTURE(CgroupFixture, "a command lives in its own cgroup and its shim in the shims'") {
  if (absent()) return;
  const Launch launch = shell("cat /proc/self/cgroup /proc/$PPID/cgroup; exit 3");
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 3, ""});
  const std::string text = out(launch);
  const std::size_t own = text.find("/tasks/1.1\n");
  REQUIRE(own != std::string::npos);
  CHECK(text.find("/shims\n", own) != std::string::npos);
  CHECK(std::filesystem::exists(config.cgroup_root + "/tasks"));
  CHECK_FALSE(std::filesystem::exists(config.cgroup_root + "/tasks/1.1"));
}

TEST_CASE_FIXTURE(CgroupFixture, "the shims' cgroup holds shims and nothing else") {
  if (absent()) return;
  Fifo go = fifo("go");
  const Launch launch = shell("read x < " + go.path());
  const auto live = start(launch);
  CHECK(read_file(config.cgroup_root + "/shims/cgroup.procs", 4096) == shim_pid(launch) + "\n");
  go.write_line("now");
  finish(*live);
  CHECK(read_file(config.cgroup_root + "/shims/cgroup.procs", 4096) == "");
}

TEST_CASE_FIXTURE(CgroupFixture, "a stop kills everything in the cgroup") {
  if (absent()) return;
  Fifo told = fifo("told");
  Launch launch = shell("setsid sh -c \"$STAY\" & (sh -c \"$STAY\" &); eval \"$STAY\"");
  launch.spec.env["STAY"] =
      "trap '' TERM; echo $$ > " + told.path() + "; while :; do sleep 1000; done";
  launch.spec.grace_ms = 20;
  const auto live = start(launch);
  std::vector<std::unique_ptr<Witness>> tree;
  for (int i = 0; i < 3; ++i) tree.push_back(std::make_unique<Witness>(told.read_line()));
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
  for (const auto& process : tree) CHECK(process->is_dead());
}

TEST_CASE_FIXTURE(CgroupFixture, "a process that wiped its environment dies with its killed shim") {
  if (absent()) return;
  Fifo told = fifo("told");
  const std::string stay = "echo $$ > " + told.path() + "; while :; do sleep 1000; done";
  Launch launch = shell("env -i setsid sh -c '" + stay + "' & wait");
  const auto live = start(launch);
  const Witness escaped(told.read_line());
  Witness(shim_pid(launch)).kill();
  CHECK(finish(*live).outcome.kind == OutcomeKind::lost);
  CHECK(escaped.is_dead());
  CHECK_FALSE(std::filesystem::exists(config.cgroup_root + "/tasks/1.1"));
}

}  // namespace
}  // namespace taskd
