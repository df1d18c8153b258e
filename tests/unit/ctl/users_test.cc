#include "ctl/users.h"

#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/process.h"

namespace taskd::ctl {
namespace {

TEST_CASE("the first name of a user counts, and lines that are none are passed over") {
  const test::TempDir dir;
  const std::string path = dir / "passwd";
  std::ofstream(path) << "# users\nroot:x:0:0:root:/root:/bin/sh\ntoor:x:0:0::/root:/bin/sh\n"
                         "nonsense\nalice:x:1000:1000:Alice,,,:/home/alice:/bin/bash\n";
  CHECK(read_user_names(path) == UserNames{{0, "root"}, {1000, "alice"}});
  CHECK(read_user_names(dir / "none").empty());
}

TEST_CASE("a user without a name is shown by number") {
  CHECK(describe_user(0) == "root");
  CHECK(short_user(0) == "root");
  CHECK(describe_user(4'000'000'123) == "uid 4000000123");
  CHECK(short_user(4'000'000'123) == "4000000123");
}

}  // namespace
}  // namespace taskd::ctl
