#include <doctest/doctest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <memory>

#include "tests/support/daemon.h"
#include "tests/support/users.h"

using namespace taskd::test;

TEST_CASE("doctor is content with a healthy daemon") {
  const TestDaemon daemon;
  const RunResult result = daemon.ctl({"doctor"});
  CAPTURE(result.out);
  CHECK(result.exit_code == 0);
}

TEST_CASE("doctor fails when the daemon can no longer write its state directory") {
  const TestDaemon daemon;
  const std::string attempts = daemon.state_dir() + "/attempts";
  std::filesystem::rename(attempts, attempts + ".away");
  const RunResult result = daemon.ctl({"doctor"});
  std::filesystem::rename(attempts + ".away", attempts);
  CAPTURE(result.out);
  CHECK(result.exit_code == 1);
  CHECK(result.out.find("fail  disk") != std::string::npos);
  CHECK(daemon.ctl({"doctor"}).out.find("ok    disk") != std::string::npos);
}

TEST_CASE("doctor finds nothing wrong where a task waits for slots") {
  const TestDaemon daemon({.workers = 2});
  const std::string gate = daemon.dir() / "gate";
  daemon.submit({"--shell", "until [ -e " + gate + " ]; do sleep 0.01; done"});
  daemon.submit({"--slots", "2", "--", "true"});
  daemon.submit({"--", "true"});
  const RunResult result = daemon.ctl({"doctor"});
  CAPTURE(result.out);
  CHECK(contains(result.out, "ok    workers"));
  write_text(gate, "");
}

TEST_CASE("doctor fails when the daemon's disk is full") {
  const TestDaemon daemon;
  const std::string attempts = daemon.state_dir() + "/attempts";
  if (::mount("none", attempts.c_str(), "tmpfs", 0, "size=64k") != 0) {
    MESSAGE("only root can fill a disk of its own");
    return;
  }
  const std::unique_ptr<const char, void (*)(const char*)> mounted(
      attempts.c_str(), [](const char* path) { CHECK(::umount2(path, MNT_DETACH) == 0); });
  const RunResult result = daemon.ctl({"doctor"});
  CAPTURE(result.out);
  CHECK(result.exit_code == 1);
  CHECK(contains(result.out, "fail  disk: 64 KiB are free, the daemon needs 128 KiB"));
}

TEST_CASE("doctor goes by the room that this daemon needs") {
  const TestDaemon daemon;
  const std::string attempts = daemon.state_dir() + "/attempts";
  if (::mount("none", attempts.c_str(), "tmpfs", 0, "size=4m") != 0) {
    MESSAGE("only root can have a small disk of its own");
    return;
  }
  const std::unique_ptr<const char, void (*)(const char*)> mounted(
      attempts.c_str(), [](const char* path) { CHECK(::umount2(path, MNT_DETACH) == 0); });
  const RunResult result = daemon.ctl({"doctor"});
  CAPTURE(result.out);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.out, "warn  disk: 4.0 MiB are free"));
}

TEST_CASE("doctor warns of a small queue when it is nearly full, not when it is empty") {
  const TestDaemon daemon;
  CHECK(daemon.ctl({"queue", "set", "small", "--capacity", "11"}).exit_code == 0);
  CHECK_FALSE(contains(daemon.ctl({"doctor"}).out, "small holds"));
  for (int i = 0; i < 9; ++i) daemon.submit({"--queue", "small", "--hold", "--", "true"});
  CHECK_FALSE(contains(daemon.ctl({"doctor"}).out, "small holds"));
  daemon.submit({"--queue", "small", "--hold", "--", "true"});
  CHECK(contains(daemon.ctl({"doctor"}).out, "warn  queue: small holds 10 of 11 waiting tasks"));
}

TEST_CASE("doctor names the first of the queued tasks that this daemon can never run") {
  TestDaemon daemon({.workers = 2, .config = "[resources]\ngpu = 1\n"});
  CHECK(daemon.ctl({"queue", "pause", "default"}).exit_code == 0);
  daemon.submit({"--", "true"});
  const std::string first = daemon.submit({"--resource", "gpu=1", "--", "true"});
  CHECK_FALSE(contains(daemon.ctl({"doctor"}).out, "can never start"));
  daemon.submit({"--resource", "gpu=1", "--", "true"});
  daemon.stop();
  daemon.set_config("");
  daemon.start();
  const RunResult result = daemon.ctl({"doctor"});
  CAPTURE(result.out);
  CHECK(result.exit_code == 0);
  CHECK(contains(result.out, "warn  needs: #" + first + " and 1 task more can never start"));
  CHECK(contains(result.out, "taskctl why " + first));
}

TEST_CASE("a path that is not a socket is said to be none") {
  const TempDir dir;
  write_text(dir / "file", "x");
  const auto message = [](const std::string& path) {
    const RunResult result = run({taskctl_path(), "--socket", path, "list"});
    CHECK(result.exit_code == 69);
    return result.err;
  };
  CHECK(message(dir.path()).find("it is a folder, not a socket") != std::string::npos);
  CHECK(message(dir / "file").find("it is an ordinary file, not a socket") != std::string::npos);
}

TEST_CASE("who may not use the socket is told what would let them in") {
  if (!can_make_users()) return;
  const SystemUsers users(1);
  const TestDaemon daemon({.for_all_users = true});
  const auto as_user = [&](const char* verb) {
    return users.run(users[0], {taskctl_path(), verb}, daemon.with_socket());
  };
  const auto both_say = [&](const std::string& advice) {
    CAPTURE(advice);
    const RunResult list = as_user("list");
    CHECK(list.exit_code == 77);
    CHECK(contains(list.err, advice));
    CHECK(contains(as_user("doctor").out, advice));
  };
  REQUIRE(::chmod(daemon.socket().c_str(), 0660) == 0);
  both_say("only root may use it");  // nobody joins root's group
  REQUIRE(::chown(daemon.socket().c_str(), 0, 1) == 0);
  both_say("become a member of the group ");
  const std::string folder = daemon.socket().substr(0, daemon.socket().rfind('/'));
  REQUIRE(::chmod(folder.c_str(), 0700) == 0);
  both_say("you may not enter its folder");
}

TEST_CASE("doctor and every other verb say how to start a daemon when there is none") {
  const TempDir dir;
  RunOptions options;
  options.env["TASKD_SOCKET"] = dir / "nobody";
  CHECK(run({taskctl_path(), "doctor"}, options).exit_code == 1);
  const RunResult list = run({taskctl_path(), "list"}, options);
  CHECK(list.exit_code == 69);
  CHECK(list.err.find("nobody") != std::string::npos);
}
