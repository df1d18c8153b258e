#include "daemon/base/instance_lock.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "daemon/base/errors.h"
#include "tests/support/temp_dir.h"

using namespace taskd;

namespace {

using test::TempDir;

}  // namespace

TEST_CASE("a lock whose owner lives is refused at once, naming the owner") {
  const TempDir folder;
  const InstanceLock first(folder.path());
  try {
    const InstanceLock second(folder.path());
    FAIL("a second lock was given");
  } catch (const UsageError& e) {
    CHECK(e.exit_code == EX_TEMPFAIL);
    CHECK(std::string(e.what()).find(std::to_string(::getpid())) != std::string::npos);
  }
}

TEST_CASE("a lock that outlives its dead owner by an instant is waited for") {
  const TempDir folder;
  const std::string path = folder.path() + "/lock";
  const pid_t dead = ::fork();
  if (dead == 0) ::_exit(0);
  REQUIRE(::waitpid(dead, nullptr, 0) == dead);
  std::ofstream(path) << dead << "\n";
  UniqueFd left_behind(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  REQUIRE(::flock(left_behind.get(), LOCK_EX | LOCK_NB) == 0);
  std::thread exec([&] {
    ::usleep(30'000);  // the time a child takes to its exec
    left_behind.reset();
  });
  const InstanceLock next(folder.path());
  exec.join();
  std::ifstream file(path);
  pid_t owner = 0;
  file >> owner;
  CHECK(owner == ::getpid());
}

TEST_CASE("a directory whose lock file was removed is still served by one alone") {
  const TempDir folder;
  const InstanceLock first(folder.path());
  std::filesystem::remove(folder.path() + "/lock");
  CHECK_THROWS_AS(InstanceLock(folder.path()), UsageError);
  // Nor does a link to somewhere else help.
  const std::string elsewhere = folder.path() + "/elsewhere";
  std::ofstream(elsewhere) << "";
  std::filesystem::create_symlink(elsewhere, folder.path() + "/lock");
  CHECK_THROWS_AS(InstanceLock(folder.path()), UsageError);
}
