#include <sys/stat.h>

#include <fstream>

#include "daemon/base/errors.h"
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

int exit_code_of(const std::string& path) {
  try {
    listen_unix(path, 0600);
  } catch (const UsageError& error) {
    CHECK(std::string(error.what()).find(path) != std::string::npos);
    return error.exit_code;
  }
  return 0;
}

TEST_CASE("the socket gets exactly the mode asked for, whatever the umask") {
  const TempDir dir;
  const mode_t old = ::umask(0177);
  const UniqueFd fd = listen_unix(dir.path() + "/s", 0666);
  ::umask(old);
  struct stat status {};
  REQUIRE(::stat((dir.path() + "/s").c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0666);
}

TEST_CASE("a stale socket file is replaced, a live one and everything else is not") {
  const TempDir dir;
  const std::string path = dir.path() + "/s";
  { const UniqueFd dead = listen_unix(path, 0600); }
  const UniqueFd fd = listen_unix(path, 0600);
  CHECK(fd);
  CHECK(exit_code_of(path) == 73);

  std::ofstream(dir.path() + "/file") << "precious";
  CHECK(exit_code_of(dir.path() + "/file") == 73);
  CHECK(std::filesystem::file_size(dir.path() + "/file") == 8);
  std::filesystem::create_symlink(path, dir.path() + "/link");
  CHECK(exit_code_of(dir.path() + "/link") == 73);
  std::filesystem::create_directory(dir.path() + "/folder");
  CHECK(exit_code_of(dir.path() + "/folder") == 73);
}

TEST_CASE("a path that cannot hold a socket is a usage error") {
  const TempDir dir;
  CHECK(exit_code_of(dir.path() + "/missing/s") == 73);
  CHECK(exit_code_of(dir.path() + "/" + std::string(108, 'x')) == 78);
  CHECK(exit_code_of("") == 78);
}

}  // namespace
}  // namespace taskd::test
