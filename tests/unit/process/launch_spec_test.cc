#include "daemon/process/launch_spec.h"

#include <doctest/doctest.h>

#include <string>

using namespace taskd;

namespace {

// The folder that the shim is told to start in.
std::string folder_of(const std::string& home, const std::string& cwd) {
  Launch launch;
  launch.token = "token";
  launch.spec.argv = {"true"};
  launch.spec.cwd = cwd;
  const User user{1, 1, "daemon", home, "/usr/sbin/nologin", {}};
  const EncodedSpec spec = encode_spec(
      launch, user, {.boot_id = "boot", .socket = "", .folder = "", .output_cap_bytes = 4096}, "");
  const std::string before = std::string("token") + '\0' + "boot" + '\0';
  const std::size_t begin = spec.bytes.find(before) + before.size();
  return spec.bytes.substr(begin, spec.bytes.find('\0', begin) - begin);
}

}  // namespace

TEST_CASE("a task starts in its folder, else at home, else in / where the home is no folder") {
  CHECK(folder_of("/tmp", "/usr") == "/usr");
  CHECK(folder_of("/tmp", "") == "/tmp");
  CHECK(folder_of("/nonexistent", "") == "/");
  CHECK(folder_of("/dev/null", "") == "/");
  CHECK(folder_of("", "") == "/");
  CHECK(folder_of("tmp", "") == "/");
  CHECK(folder_of("/nonexistent", "/nonexistent") == "/nonexistent");  // it was asked for
}
