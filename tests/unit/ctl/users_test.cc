#include "ctl/base/users.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace taskd::ctl {
namespace {

TEST_CASE("the first name of a user counts, and lines that are none are passed over") {
  std::string path = std::filesystem::temp_directory_path() / "taskctl-passwd-XXXXXX";
  const int fd = ::mkstemp(path.data());
  REQUIRE(fd >= 0);
  ::close(fd);
  std::ofstream(path) << "# users\n+::::::\n-bad::::::\nroot:x:0:0:root:/root:/bin/sh\n"
                         "toor:x:0:0::/root:/bin/sh\nnonsense\n"
                         "alice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n";
  CHECK(name_in(path, 0) == "root");
  CHECK(name_in(path, 1000) == "alice");
  CHECK(name_in(path, 1001).empty());
  std::filesystem::remove(path);
  CHECK(name_in(path, 0).empty());
}

TEST_CASE("a user without a name is shown by number") {
  CHECK(describe_user(0) == "root");
  CHECK(short_user(0) == "root");
  CHECK(describe_user(4'000'000'123) == "uid 4000000123");
  CHECK(short_user(4'000'000'123) == "4000000123");
}

}  // namespace
}  // namespace taskd::ctl
