#include "ctl/commands/boot_units.h"
#include "tests/support/temp_dir.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace taskd::ctl;

namespace {

// A systemctl of the test's own, first in the PATH.
class FakeSystemctl {
 public:
  explicit FakeSystemctl(const std::string& script) : path_(std::getenv("PATH")) {
    const std::string program = folder_ / "systemctl";
    std::ofstream(program) << "#!/bin/sh\n" << script << "\n";
    REQUIRE(::chmod(program.c_str(), 0755) == 0);
    ::setenv("PATH", (folder_.path() + ":" + path_).c_str(), 1);
  }
  ~FakeSystemctl() { ::setenv("PATH", path_.c_str(), 1); }

 private:
  std::string path_;
  taskd::test::TempDir folder_;
};

std::string asked(Manager manager) {
  return enablement_of(manager, "taskctl.service", Environment(environ));
}

}  // namespace

TEST_CASE("what systemctl says of a unit is read, of the system's manager or the user's") {
  const FakeSystemctl fake("echo \"$*\"; echo noise >&2; exit 1");
  CHECK(asked(Manager::system) == "is-enabled taskctl.service");
  CHECK(asked(Manager::user) == "--user is-enabled taskctl.service");
}

TEST_CASE("a systemctl that says nothing, too much or is not there leaves it open") {
  {
    const FakeSystemctl fake("exit 4");
    CHECK(asked(Manager::system).empty());
  }
  {
    const FakeSystemctl fake("yes");
    CHECK(asked(Manager::system).empty());
  }
  const std::string path = std::getenv("PATH");
  ::setenv("PATH", "/nowhere", 1);
  CHECK(asked(Manager::system).empty());
  ::setenv("PATH", path.c_str(), 1);
}

TEST_CASE("a socket elsewhere belongs to no unit") {
  CHECK_FALSE(manager_of("/tmp/some/sock", Environment(environ)).has_value());
}
