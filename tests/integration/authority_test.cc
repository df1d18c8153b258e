// Who runs as whom, on a real daemon of root with real users.
#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>

#include "tests/support/daemon.h"
#include "tests/support/users.h"

using namespace taskd::test;

namespace {

struct Town {
  explicit Town(int count, DaemonOptions options = {})
      : users(count), daemon([&] {
          options.for_all_users = true;
          return std::move(options);
        }()) {}

  RunResult ctl(std::size_t user, std::vector<std::string> args) const {
    args.insert(args.begin(), taskctl_path());
    return users.run(users[user], args, daemon.with_socket());
  }
  std::string submit(std::size_t user, std::vector<std::string> args) const {
    args.insert(args.begin(), "submit");
    RunResult result = ctl(user, args);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    result.out.pop_back();
    return result.out;
  }

  SystemUsers users;
  TestDaemon daemon;
};

}  // namespace

TEST_CASE("a user whose task an administrator touches never runs anything as root") {
  if (!can_make_users()) return;
  const Town town(1);
  const std::string alice = town.users[0].name;
  const std::string held = town.submit(0, {"--hold", "--cwd", "/", "--", "true"});
  const RunResult as_root = town.daemon.ctl({"edit", held, "--user", "root"});
  CHECK(as_root.exit_code == 77);
  CHECK(contains(as_root.err, "--user: it belongs to " + alice + " and runs only as that user"));
  CHECK(town.daemon.ctl({"edit", held, "--env", "A=1"}).exit_code == 0);
  CHECK(town.ctl(0, {"edit", held, "--shell", "id -un"}).exit_code == 0);
  CHECK(town.ctl(0, {"release", held}).exit_code == 0);
  town.daemon.wait(held);
  CHECK(town.ctl(0, {"logs", held}).out == alice + "\n");
  CHECK(town.daemon.ctl({"retry", "--edit", held, "--user", "root"}).exit_code == 77);
  CHECK(town.ctl(0, {"retry", "--edit", held, "--user", "root"}).exit_code == 77);
  CHECK(town.ctl(0, {"submit", "--user", "root", "--", "id"}).exit_code == 77);
  const std::string copy = town.daemon.submit({"--like", held});
  town.daemon.wait(copy);
  CHECK(town.daemon.ctl({"logs", copy}).out == alice + "\n");
}

TEST_CASE("root's schedule of a name that a user has too is another one") {
  if (!can_make_users()) return;
  const Town town(1);
  const std::vector<std::string> hers = {"schedule", "add", "backup", "--every", "1h",
                                         "--cwd",    "/",   "--",     "true"};
  CHECK(town.ctl(0, hers).exit_code == 0);
  const RunResult seen = town.daemon.ctl({"schedule", "show", "backup"});
  CHECK(seen.exit_code == 66);
  CHECK(contains(seen.err, town.users[0].name));
  CHECK(town.daemon
            .ctl({"schedule", "add", "backup", "--replace", "--every", "1h", "--env", "SECRET=x",
                  "--shell", "id -un"})
            .exit_code == 0);
  RunResult trigger = town.daemon.ctl({"schedule", "trigger", "backup"});
  REQUIRE(trigger.exit_code == 0);
  const std::string id = trigger.out.substr(0, trigger.out.size() - 1);
  town.daemon.wait(id);
  CHECK(town.daemon.ctl({"logs", id}).out == "root\n");
  CHECK(town.ctl(0, {"logs", id}).exit_code == 66);
  const std::string whose = town.users[0].name;
  CHECK(town.daemon.ctl({"schedule", "pause", "backup", "--user", whose}).exit_code == 0);
  CHECK(contains(town.ctl(0, {"schedule", "show", "backup"}).out, "paused"));
  CHECK_FALSE(contains(town.daemon.ctl({"schedule", "show", "backup"}).out, "paused"));
  const RunResult list = town.daemon.ctl({"schedule", "list"});
  CHECK(contains(list.out, "USER"));
  CHECK(contains(list.out, whose));
  CHECK(town.ctl(0, {"schedule", "rm", "backup", "--user", "root"}).exit_code == 77);
  CHECK(town.daemon
            .ctl({"schedule", "add", "backup", "--replace", "--owner", whose, "--every", "2h",
                  "--user", "root", "--", "id"})
            .exit_code == 77);
  CHECK(town.daemon.ctl({"schedule", "rm", "backup", "--user", whose}).exit_code == 0);
  CHECK(town.ctl(0, {"schedule", "show", "backup"}).exit_code == 66);
}

TEST_CASE("who gets the uid of a deleted user gets nothing of what that one left") {
  if (!can_make_users()) return;
  Town town(1);
  const std::string alice = town.users[0].name;
  const std::string uid = std::to_string(town.users[0].uid);
  const std::string secret = town.submit(0, {"--cwd", "/", "--shell", "echo secret"});
  town.daemon.wait(secret);
  const std::string held = town.submit(0, {"--hold", "--cwd", "/", "--", "id", "-un"});
  const std::string other = town.submit(0, {"--hold", "--cwd", "/", "--", "id", "-un"});
  const std::string as_alice =
      town.daemon.submit({"--hold", "--user", alice, "--cwd", "/", "--", "id", "-un"});
  CHECK(town.ctl(0, {"schedule", "add", "tick", "--every", "1h", "--cwd", "/", "--", "true"})
            .exit_code == 0);

  town.users.remove(0);
  CHECK(town.daemon.ctl({"release", held}).exit_code == 0);
  const auto gone = town.daemon.wait(held);
  CHECK(gone.at("reason") == "spawn");
  CHECK(gone.at("error") == "user " + uid + " (" + alice + ") does not exist any more");

  const std::size_t bob = town.users.reuse_uid(0);
  const std::string now = town.users[bob].name;
  // Before the new user ever asked for anything.
  CHECK(town.daemon.ctl({"release", as_alice}).exit_code == 0);
  const auto given_away = town.daemon.wait(as_alice);
  CHECK(given_away.at("reason") == "spawn");
  CHECK(given_away.at("error") == "uid " + uid + " was " + alice + "'s and is " + now + "'s now");

  const RunResult seen = town.ctl(bob, {"list", "--all"});
  CHECK(seen.exit_code == 0);
  CHECK(seen.out.empty());
  for (const char* verb : {"show", "logs", "cancel", "rm", "retry", "release", "why"}) {
    CAPTURE(verb);
    CHECK(town.ctl(bob, {verb, other}).exit_code == 66);
  }
  CHECK(town.ctl(bob, {"schedule", "show", "tick"}).exit_code == 66);
  CHECK(town.ctl(bob, {"schedule", "add", "tick", "--every", "1h", "--cwd", "/", "--", "true"})
            .exit_code == 0);
  const std::string own = town.submit(bob, {"--cwd", "/", "--", "id", "-un"});
  CHECK(town.daemon.wait(own).at("state") == "succeeded");
  CHECK(town.ctl(bob, {"logs", own}).out == now + "\n");

  // The administrator still sees it all, and whose it was.
  const auto left = town.daemon.show(other);
  CHECK(left.at("former_user") == alice + " (uid " + uid + ")");
  CHECK(contains(town.daemon.ctl({"show", other}).out, alice));
  CHECK(town.daemon.ctl({"release", other}).exit_code == 0);
  CHECK(town.daemon.wait(other).at("error") ==
        "user " + uid + " (" + alice + ") does not exist any more");
}

TEST_CASE("a daemon that was away while a uid got another owner knows so when it is back") {
  if (!can_make_users()) return;
  Town town(1);
  const std::string held = town.submit(0, {"--hold", "--cwd", "/", "--", "id"});
  town.daemon.stop();
  town.users.remove(0);
  const std::size_t bob = town.users.reuse_uid(0);
  town.daemon.start();
  CHECK(town.ctl(bob, {"show", held}).exit_code == 66);
  const RunResult seen = town.ctl(bob, {"list", "--all"});
  CHECK(seen.exit_code == 0);
  CHECK(seen.out.empty());
}

TEST_CASE("a daemon of handlers only runs no command that it took before") {
  TestDaemon daemon;
  const std::string held = daemon.submit({"--hold", "--", "id"});
  const std::string ended = daemon.submit({"--", "true"});
  daemon.wait(ended);
  const std::string late = daemon.submit({"--delay", "1s", "--", "id"});
  CHECK(daemon.ctl({"schedule", "add", "tick", "--every", "1s", "--", "id"}).exit_code == 0);
  daemon.stop();
  daemon.set_config("handlers_only = true\n");
  daemon.start();
  for (const std::vector<std::string>& verb :
       {std::vector<std::string>{"release", held}, {"retry", ended}}) {
    const RunResult refused = daemon.ctl(verb);
    CHECK(refused.exit_code == 77);
    CHECK(contains(refused.err, "takes no commands"));
  }
  CHECK(daemon.wait(late).at("error") ==
        "this daemon runs only the handlers that its configuration declares, and no commands");
  const auto slots = [&] { return daemon.ctl_json({"schedule", "show", "tick"}).at("slots"); };
  const auto was_refused = [&] {
    for (const auto& slot : slots()) {
      if (slot.at("result") == "refused") return true;
    }
    return false;
  };
  for (int look = 0; look < 3000 && !was_refused(); ++look) ::usleep(10'000);
  CHECK(was_refused());
}

TEST_CASE("taskctl sends nothing to a daemon of somebody who is neither root nor the caller") {
  if (!can_make_users()) return;
  SystemUsers users(2);
  const std::string state = users[0].home + "/state";
  const std::string socket = users[0].home + "/sock";
  std::filesystem::permissions(users[0].home, std::filesystem::perms(0755));
  std::vector<std::string> taskd = {
      taskd_path(),    "--config", "/dev/null", "--state-dir", state,       "--socket", socket,
      "--socket-mode", "0666",     "--ballast", "64KiB",       "--workers", "1"};
  taskd.push_back("--init");
  REQUIRE(users.run(users[0], taskd).exit_code == 0);
  taskd.pop_back();
  Child daemon(users.as(users[0], taskd));
  wait_for_file(socket);
  RunOptions at;
  at.env["TASKD_SOCKET"] = socket;
  const std::string alice = users[0].name;
  const RunResult own = users.run(users[0], {taskctl_path(), "submit", "--", "true"}, at);
  CHECK_MESSAGE(own.exit_code == 0, own.err);
  for (const bool root : {false, true}) {
    const auto ask = [&](std::vector<std::string> args, RunOptions options) {
      args.insert(args.begin(), taskctl_path());
      return root ? run(args, options) : users.run(users[1], args, options);
    };
    const RunResult stranger = ask({"list"}, at);
    CHECK(stranger.exit_code == 77);
    CHECK(stranger.out.empty());
    CHECK(stranger.err == "taskctl: the daemon at " + socket + " is run by " + alice +
                              ", not by root or you, so nothing was sent to it. If you trust " +
                              alice + ": --daemon-user " + alice +
                              ", or TASKD_DAEMON_USER=" + alice + "\n");
    CHECK(ask({"--daemon-user", alice, "list"}, at).exit_code == 0);
    const RunResult doctor = ask({"--daemon-user", alice, "doctor"}, at);
    CHECK_MESSAGE(contains(doctor.out, "no damage found") == root, doctor.err);
    RunOptions named = at;
    named.env["TASKD_DAEMON_USER"] = std::to_string(users[0].uid);
    CHECK(ask({"list"}, named).exit_code == 0);
    named.env["TASKD_DAEMON_USER"] = users[1].name;
    // One's own daemon is trusted anyway; this one is another's still.
    CHECK(ask({"list"}, named).exit_code == 77);
    named.env["TASKD_DAEMON_USER"] = "no-such-user";
    CHECK(ask({"list"}, named).exit_code == 78);
    CHECK(ask({"list", "--daemon-user", "no-such-user"}, at).exit_code == 64);
  }
  // Nobody but its own user has anything run there, whoever may connect.
  RunOptions trusted = at;
  trusted.env["TASKD_DAEMON_USER"] = alice;
  for (const std::vector<std::string>& extra :
       {std::vector<std::string>{}, {"--user", alice}, {"--user", "root"}}) {
    std::vector<std::string> args = {taskctl_path(), "submit"};
    args.insert(args.end(), extra.begin(), extra.end());
    args.insert(args.end(), {"--", "true"});
    CHECK(users.run(users[1], args, trusted).exit_code == 77);
  }
  CHECK(run({taskctl_path(), "submit", "--user", alice, "--cwd", "/", "--", "true"}, trusted)
            .exit_code == 0);
  daemon.kill(SIGTERM);
  CHECK(daemon.wait().exit_code == 0);
}

TEST_CASE("the secret of a job is in its environment, and in no file of the daemon") {
  const TestDaemon daemon;
  const std::string told = daemon.dir() / "told";
  const std::string gate = daemon.dir() / "gate";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string id = daemon.submit({"--shell", "echo $TASKD_TOKEN > " + told + ".new; mv " +
                                                       told + ".new " + told + "; cat " + gate});
  wait_for_file(told);
  std::string secret = read_text(told);
  REQUIRE(secret.size() == 33);
  secret.pop_back();
  CHECK(run({"grep", "-raq", secret, daemon.state_dir()}).exit_code == 1);
  CHECK_FALSE(contains(daemon.log(), secret));
  write_text(gate, "go");
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(run({"grep", "-raq", secret, daemon.state_dir()}).exit_code == 1);
}
