// What a job, or an accident, does to the attempt's folder is the attempt's trouble alone.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

namespace fs = std::filesystem;

std::string folder_of(const TestDaemon& daemon, const std::string& id) {
  return daemon.state_dir() + "/attempts/" + std::to_string(std::stol(id) / 1000) + "/" + id + ".1";
}

// Something that is no file of the daemon's in the place of `path`. False where only root can.
bool put(const std::string& kind, const std::string& path, const TestDaemon& daemon) {
  const std::string secret = daemon.dir() / "secret";
  write_text(secret, "precious\n");
  fs::remove_all(path);
  if (kind == "pipe") return ::mkfifo(path.c_str(), 0600) == 0;
  if (kind == "link") return ::symlink(secret.c_str(), path.c_str()) == 0;
  if (kind == "second name") return ::link(secret.c_str(), path.c_str()) == 0;
  if (kind == "device") return ::mknod(path.c_str(), S_IFCHR | 0600, makedev(1, 5)) == 0;
  if (kind == "folder") return fs::create_directories(path + "/in/it");
  return false;
}

const std::vector<std::string> kKinds = {"pipe", "link", "second name", "device", "folder"};

// Fails the test instead of hanging it.
RunResult soon(const TestDaemon& daemon, std::vector<std::string> args) {
  args.insert(args.begin(), {"timeout", "20", taskctl_path()});
  RunOptions options;
  options.env["TASKD_SOCKET"] = daemon.socket();
  return run(args, options);
}

// A job that has printed on both streams and waits for the gate to be written to.
std::string waiting_job(const TestDaemon& daemon, std::vector<std::string> flags = {}) {
  const std::string gate = daemon.dir() / "gate";
  if (!fs::exists(gate)) REQUIRE(::mkfifo(gate.c_str(), 0600) == 0);
  const std::string ready = daemon.dir() / "ready";
  fs::remove(ready);
  flags.insert(flags.end(),
               {"--shell", "echo out; echo err >&2; touch " + ready + "; cat " + gate});
  const std::string id = daemon.submit(flags);
  wait_for_file(ready);
  wait_for_file(folder_of(daemon, id) + "/stdout.0");
  wait_for_file(folder_of(daemon, id) + "/stderr.0");
  return id;
}

}  // namespace

TEST_CASE("whatever stands in the place of a job's output hangs nobody and gives nothing away") {
  for (const std::string& kind : kKinds) {
    CAPTURE(kind);
    TestDaemon daemon;
    const std::string id = waiting_job(daemon);
    for (const char* stream : {"/stdout.0", "/stderr.0", "/stdout.4"}) {
      if (!put(kind, folder_of(daemon, id) + stream, daemon)) return;
    }
    for (int start = 0; start < 2; ++start) {
      const RunResult logs = soon(daemon, {"logs", id});
      CHECK(logs.exit_code == 0);
      CHECK_FALSE(contains(logs.out + logs.err, "precious"));
      if (start == 0) {
        CHECK(daemon.stop().exit_code == 0);
        daemon.start();
      }
    }
    write_text(daemon.dir() / "gate", "go\n");
    CHECK(daemon.wait(id).at("state") == "succeeded");
    CHECK_FALSE(contains(soon(daemon, {"logs", id}).out, "precious"));
    CHECK_FALSE(contains(soon(daemon, {"logs", id, "--tail", "5", "--follow"}).out, "precious"));
    CHECK(read_text(daemon.dir() / "secret") == "precious\n");
    CHECK(soon(daemon, {"rm", id}).exit_code == 0);
    CHECK_FALSE(fs::exists(folder_of(daemon, id)));
    CHECK(read_text(daemon.dir() / "secret") == "precious\n");
  }
}

TEST_CASE("whatever stands in the place of an attempt's lock ends that attempt alone") {
  for (const std::string& kind : kKinds) {
    CAPTURE(kind);
    TestDaemon daemon({.workers = 4});
    const std::string bystander = daemon.submit({"--shell", "exec sleep 600"});
    const std::string bad = waiting_job(daemon, {"--on-lost", "fail"});
    if (!put(kind, folder_of(daemon, bad) + "/lock", daemon)) return;
    // The live daemon, first asked and then at the end.
    const RunResult asked = soon(daemon, {"signal", "CONT", bad});
    CHECK(asked.exit_code != 124);
    CHECK_MESSAGE(!contains(asked.err, "internal"), asked.err);
    write_text(daemon.dir() / "gate", "go\n");
    auto task = daemon.wait(bad);
    CHECK(task.at("reason") == "lost");
    CHECK(contains(task.at("error"), "lock was replaced by something else"));
    CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
    // The next daemon.
    const std::string again = waiting_job(daemon, {"--on-lost", "fail"});
    REQUIRE(put(kind, folder_of(daemon, again) + "/lock", daemon));
    daemon.restart_after_kill9();
    task = daemon.wait(again);
    CHECK(task.at("reason") == "lost");
    CHECK(contains(task.at("error"), "lock was replaced by something else"));
    CHECK(daemon.state(bystander) == "running");
    CHECK(daemon.show(bystander).at("attempt") == 1);
    CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
    CHECK(read_text(daemon.dir() / "secret") == "precious\n");
  }
}

TEST_CASE("something else in the place of an attempt's folder ends that attempt alone") {
  for (const char* what : {"a file", "a link", "its folder gone", "a file around it"}) {
    CAPTURE(what);
    TestDaemon daemon({.workers = 4});
    const std::string bad = waiting_job(daemon, {"--on-lost", "fail"});
    daemon.kill9();
    const std::string folder = folder_of(daemon, bad);
    const bool around = what == std::string("a file around it");
    const std::string place = around ? fs::path(folder).parent_path().string() : folder;
    fs::rename(place, daemon.dir() / "away");
    if (what == std::string("a link")) {
      fs::create_directory_symlink(daemon.dir() / "away", place);
    } else if (what != std::string("its folder gone")) {
      write_text(place, "in the way\n");
    }
    daemon.start();
    CHECK(daemon.wait(bad).at("reason") == "lost");
    CHECK(soon(daemon, {"logs", bad}).exit_code == 0);
    CHECK(soon(daemon, {"logs", bad}).out.empty());
    if (around) fs::remove(place);
    CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
    CHECK(daemon.stop().exit_code == 0);
    daemon.start();
  }
}

TEST_CASE("an attempt whose lock holds garbage can be cancelled, and nothing else stops") {
  TestDaemon daemon({.workers = 4});
  const std::string bad = waiting_job(daemon, {"--on-lost", "fail"});
  const std::string lock = folder_of(daemon, bad) + "/lock";
  daemon.kill9();
  // Garbage is no proof of anything.
  write_text(lock, std::string(20'000, '\n'));
  daemon.start();
  CHECK(daemon.state(bad) == "running");
  CHECK(daemon.ctl({"cancel", bad}).exit_code == 0);
  CHECK(daemon.wait(bad).at("ended_at").is_string());
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
}

TEST_CASE("whatever a job made in its folder is removed with the attempt, and nothing beside it") {
  const TestDaemon daemon;
  const std::string outside = daemon.dir() / "outside";
  fs::create_directories(outside + "/in");
  write_text(outside + "/in/it", "precious\n");
  const std::string make =
      "cd ${TASKD_RESULT_FILE%/*} && touch stray && mkdir -p sub/deep locked && "
      "echo 1 > sub/deep/file && ln -s " +
      outside + " sub/link && ln -s " + outside +
      " link && mkfifo sub/pipe && touch locked/file && chmod 000 locked && "
      "(i=0; while [ $i -lt 300 ]; do mkdir d && cd d || exit 1; i=$((i+1)); done; touch bottom)";
  const std::string silent = daemon.submit({"--shell", make});
  const std::string loud = daemon.submit({"--shell", make + "; echo loud"});
  CHECK(daemon.wait(silent).at("state") == "succeeded");
  CHECK(daemon.wait(loud).at("state") == "succeeded");
  // What is left is removed just after the end is told.
  wait_until_gone(folder_of(daemon, silent));
  wait_until_gone(folder_of(daemon, loud) + "/sub");
  CHECK(fs::exists(folder_of(daemon, loud) + "/stdout.0"));
  CHECK(daemon.ctl({"logs", loud}).out == "loud\n");
  CHECK(daemon.ctl({"rm", loud}).exit_code == 0);
  CHECK_FALSE(fs::exists(folder_of(daemon, loud)));
  CHECK(read_text(outside + "/in/it") == "precious\n");
}
