#include "tests/support/users.h"

#include <doctest/doctest.h>
#include <pwd.h>
#include <unistd.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("users of a test are made, run programs as themselves, and are gone after it") {
  if (!can_make_users()) return;
  std::string name;
  {
    SystemUsers users(2);
    name = users[0].name;
    CHECK(users[0].uid != users[1].uid);
    CHECK(users.run(users[0], {"id", "-un"}).out == name + "\n");
    CHECK(users.run(users[1], {"id", "-G"}).out == std::to_string(users[1].gid) + "\n");
    CHECK(users.run(users[1], {"sh", "-c", "cd && pwd && touch mine"}).out == users[1].home + "\n");
    users.remove(1);
    const std::size_t again = users.reuse_uid(1);
    CHECK(users[again].uid == users[1].uid);
    CHECK(users[again].name != users[1].name);
  }
  CHECK(::getpwnam(name.c_str()) == nullptr);
}

TEST_CASE("each user of a daemon of root sees and touches only what is theirs") {
  if (!can_make_users()) return;
  SystemUsers users(2);
  const TestDaemon daemon({.for_all_users = true});
  const auto ctl = [&](std::size_t user, std::vector<std::string> args) {
    args.insert(args.begin(), taskctl_path());
    return users.run(users[user], args, daemon.with_socket());
  };
  const RunResult submitted = ctl(0, {"submit", "--hold", "--shell", "id -un"});
  REQUIRE_MESSAGE(submitted.exit_code == 0, submitted.err);
  const RunResult seen = ctl(1, {"list"});
  CHECK(seen.exit_code == 0);
  CHECK(seen.out.empty());
  for (const char* verb : {"show", "logs", "cancel", "hold", "release", "retry", "rm", "result"}) {
    CAPTURE(verb);
    CHECK(ctl(1, {verb, "1"}).exit_code == 66);
  }
  CHECK(ctl(1, {"edit", "1", "--priority", "3"}).exit_code == 66);
  CHECK(ctl(0, {"release", "1"}).exit_code == 0);
  CHECK(daemon.wait("1").at("state") == "succeeded");
  CHECK(ctl(0, {"logs", "1"}).out == users[0].name + "\n");
}
