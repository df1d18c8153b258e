// What a new daemon makes of the attempts of the one before it.

#include "daemon/process/job_files.h"
#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

const std::string kOtherBoot = "00000000-0000-0000-0000-000000000000";

void overwrite(const std::string& path, const std::string& text) {
  const UniqueFd fd(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CREAT | O_CLOEXEC, 0600));
  REQUIRE(::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

// Regular files alone, as a backup has them: no pipes.
void copy_files(const std::string& from, const std::string& to) {
  namespace fs = std::filesystem;
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(from)) {
    const fs::path place = to / entry.path().lexically_relative(from);
    if (entry.is_directory()) fs::create_directories(place);
    if (entry.is_regular_file()) fs::copy_file(entry.path(), place);
  }
}

// Starts a shim as far as its gate and gives it this much of a spec.
void start_at_gate(const PosixLauncherConfig& config, const Launch& launch, std::string_view spec) {
  make_dirs(config.attempts_dir, 0700);
  const UniqueFd attempts(::open(config.attempts_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const MadeFolder made = make_attempt_folder(attempts.get(), launch.task, launch.attempt);
  UniqueFd lock = lock_attempt(made, config.store, launch.token);
  const UniqueFd& folder = made.fd;
  make_result_pipe(folder.get());
  ForkServer server(config.shim_path, UniqueFd());
  const NewShim shim = server.fork("test", lock.get(), folder.get());
  lock.reset();
  write_spec(shim.launch_pipe.get(), spec);
}

TEST_CASE_FIXTURE(Fixture,
                  "an attempt whose daemon was killed is adopted with its true exit status") {
  Fifo go = fifo("go");
  const Launch launch = shell("echo before; read x < " + go.path() + "; echo after; exit 23");
  {
    Helper daemon([&] {
      PosixLauncher launcher(config);
      auto result = launcher.launch(launch);
      if (!std::holds_alternative<std::unique_ptr<LiveAttempt>>(result)) return false;
      // Never destroyed: the process dies with it.
      static_cast<void>(std::get<0>(result).release());
      return true;
    });
    daemon.kill();
  }
  PosixLauncher launcher(config);
  auto result = launcher.recover(launch, boot_id);
  REQUIRE(std::holds_alternative<std::unique_ptr<LiveAttempt>>(result));
  LiveAttempt& live = *std::get<0>(result);
  go.write_line("on");
  CHECK(finish(live).outcome == Outcome{OutcomeKind::exited, 23, ""});
  CHECK(out(launch) == "before\nafter\n");
}

TEST_CASE_FIXTURE(Fixture, "an adopted attempt can be stopped") {
  Fifo told = fifo("told");
  const Launch launch = shell("echo $$ > " + told.path() + "; exec sleep 1000");
  start(launch).reset();  // the daemon lets go of it
  const Witness command(told.read_line());
  PosixLauncher launcher(config);
  auto result = launcher.recover(launch, boot_id);
  REQUIRE(std::holds_alternative<std::unique_ptr<LiveAttempt>>(result));
  LiveAttempt& live = *std::get<0>(result);
  live.stop();
  CHECK(finish(live).outcome.kind == OutcomeKind::cancelled);
  CHECK(command.is_dead());
}

TEST_CASE_FIXTURE(Fixture, "an attempt that ended without a daemon keeps its end") {
  Fifo told = fifo("told");
  const Launch launch = shell("echo oops >&2; echo > " + told.path() + "; exit 4");
  auto live = start(launch);
  const Witness shim(shim_pid(launch));
  live.reset();
  shim.wait_for_death();
  const AttemptEnd end = recover(launch);
  CHECK(end.outcome == Outcome{OutcomeKind::exited, 4, ""});
  CHECK(end.stderr_tail == "oops\n");
  CHECK(recover(launch, kOtherBoot).outcome == Outcome{OutcomeKind::exited, 4, ""});
}

TEST_CASE_FIXTURE(Fixture,
                  "a status that is damaged or speaks of another attempt is not believed") {
  const Launch launch = shell("exit 4");
  auto live = start(launch);
  wait_readable(live->pidfd());
  const std::string path = folder(launch) + "/lock";
  const std::string status = read_file(path, 8192).value();
  const std::size_t start = status.find("taskd-status");
  REQUIRE(start != std::string::npos);
  REQUIRE(recover(launch, kOtherBoot).outcome.kind == OutcomeKind::exited);

  for (std::size_t i = start; i < status.size(); ++i) {
    std::string damaged = status;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    overwrite(path, damaged);
    CHECK(recover(launch, kOtherBoot).outcome.kind == OutcomeKind::lost);
    overwrite(path, status.substr(0, i));
    CHECK(recover(launch, kOtherBoot).outcome.kind == OutcomeKind::lost);
  }
  overwrite(path, status);
  Launch other = launch;
  other.token = random_token();
  CHECK(recover(other, kOtherBoot).outcome.kind == OutcomeKind::lost);
  CHECK(recover(other).outcome.kind == OutcomeKind::lost);
  CHECK(recover(launch).outcome.kind == OutcomeKind::exited);
  live->reap();
}

TEST_CASE_FIXTURE(Fixture, "when the shim is killed its tree dies and the attempt is lost") {
  Fifo told = fifo("told");
  const std::string tell = "echo $$ > " + told.path() + "; ";
  const std::string stay = "trap '' TERM; " + tell + "while :; do sleep 1000; done";
  Launch launch = shell("setsid sh -c \"$STAY\" & (sh -c \"$STAY\" &); eval \"$STAY\"");
  launch.spec.env["STAY"] = stay;
  for (const bool daemon_lives : {true, false}) {
    auto live = start(launch);
    std::vector<std::unique_ptr<Witness>> tree;
    for (int i = 0; i < 3; ++i) tree.push_back(std::make_unique<Witness>(told.read_line()));
    const Witness shim(shim_pid(launch));
    if (!daemon_lives) live.reset();
    shim.kill();
    const AttemptEnd end = daemon_lives ? finish(*live) : recover(launch);
    CHECK(end.outcome.kind == OutcomeKind::lost);
    for (const auto& process : tree) process->wait_for_death();
    PosixLauncher(config).remove_task(1, 1);
  }
}

TEST_CASE_FIXTURE(Fixture, "recovery waits for nothing that a lost attempt left; its reap does") {
  Fifo told = fifo("told");
  Launch staying = shell("setsid sh -c \"$STAY\" & wait");
  staying.spec.env["STAY"] = "echo $$ > " + told.path() + "; exec sleep 1000";
  start(staying).reset();
  const Witness child(told.read_line());
  const Witness shim(shim_pid(staying));
  shim.kill();
  shim.wait_for_death();
  PosixLauncher next(config);
  auto result = next.recover(staying, boot_id);
  REQUIRE(std::holds_alternative<std::unique_ptr<LiveAttempt>>(result));
  CHECK_FALSE(child.is_dead());
  CHECK(finish(*std::get<0>(result)).outcome.kind == OutcomeKind::lost);
  CHECK(child.is_dead());
}

TEST_CASE_FIXTURE(Fixture, "recovery does not wait for a lock that something unknown still holds") {
  const Launch launch = shell("true");
  make_dirs(config.attempts_dir, 0700);
  const UniqueFd attempts(::open(config.attempts_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const MadeFolder made = make_attempt_folder(attempts.get(), launch.task, launch.attempt);
  UniqueFd held = lock_attempt(made, config.store, launch.token);
  PosixLauncher next(config);
  auto result = next.recover(launch, boot_id);
  REQUIRE(std::holds_alternative<std::unique_ptr<LiveAttempt>>(result));
  held.reset();
  CHECK(finish(*std::get<0>(result)).outcome.kind == OutcomeKind::not_started);
  // Let go of: the same attempt can be started while the object is still there.
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
}

TEST_CASE_FIXTURE(Fixture, "a shim whose daemon died before the gate was open starts nothing") {
  const Launch launch = shell("echo ran");
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{40}, std::size_t{80}}) {
    Helper daemon([&] {
      start_at_gate(config, launch, std::string(bytes, '\0'));
      return true;
    });
    daemon.kill();
    CHECK(recover(launch).outcome.kind == OutcomeKind::not_started);
    CHECK(out(launch).empty());
    CHECK(recover(launch, kOtherBoot).outcome.kind == OutcomeKind::lost);
  }
}

TEST_CASE_FIXTURE(Fixture, "a shim given half a spec starts nothing") {
  const Launch launch = shell("echo ran");
  const User user{::geteuid(), ::getegid(), "me", "/", "/bin/sh", {}};
  const EncodedSpec spec = encode_spec(
      launch, user, {.boot_id = boot_id, .socket = "", .folder = "", .output_cap_bytes = 4096}, "");
  for (const std::size_t missing : {spec.bytes.size() - 1, std::size_t{100}, std::size_t{1}}) {
    start_at_gate(config, launch,
                  std::string_view(spec.bytes).substr(0, spec.bytes.size() - missing));
    CHECK(recover(launch).outcome.kind == OutcomeKind::not_started);
    CHECK(out(launch).empty());
    while (::waitpid(-1, nullptr, 0) > 0) {
    }
  }
  start_at_gate(config, launch, spec.bytes);
  CHECK(recover(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
}

TEST_CASE_FIXTURE(Fixture, "a claim that left no folder is lost: nothing proves it never ran") {
  CHECK(recover(shell("true")).outcome.kind == OutcomeKind::lost);
  CHECK(recover(shell("true"), kOtherBoot).outcome.kind == OutcomeKind::lost);
}

TEST_CASE_FIXTURE(Fixture, "an attempt whose folder was removed is lost, and its job is ended") {
  Fifo told = fifo("told");
  const Launch launch = shell("echo $$ > " + told.path() + "; exec sleep 1000");
  start(launch).reset();
  const Witness command(told.read_line());
  std::filesystem::remove_all(folder(launch));
  CHECK(recover(launch).outcome.kind == OutcomeKind::lost);
  command.wait_for_death();
}

TEST_CASE_FIXTURE(Fixture, "an attempt whose lock file was removed is lost, and its job is ended") {
  Fifo told = fifo("told");
  const Launch launch = shell("echo $$ > " + told.path() + "; exec sleep 1000");
  start(launch).reset();
  const Witness command(told.read_line());
  std::filesystem::remove(folder(launch) + "/lock");
  CHECK(recover(launch).outcome.kind == OutcomeKind::lost);
  command.wait_for_death();
}

TEST_CASE_FIXTURE(Fixture,
                  "only this store's own lock of this attempt proves that it never began") {
  const Launch launch = shell("true");
  const std::string lock = folder(launch) + "/lock";
  start_at_gate(config, launch, "");
  REQUIRE(recover(launch).outcome.kind == OutcomeKind::not_started);
  const std::string own = read_file(lock, 4096).value();
  const auto kind_with = [&](const std::string& text) {
    overwrite(lock, text);
    return recover(launch).outcome.kind;
  };
  CHECK(kind_with(own) == OutcomeKind::not_started);
  CHECK(kind_with("") == OutcomeKind::lost);
  CHECK(kind_with(std::string(20'000, 'x')) == OutcomeKind::lost);
  CHECK(kind_with("shim 1\n") == OutcomeKind::lost);
  overwrite(lock, own);
  Launch retried = launch;
  retried.token = random_token();
  CHECK(recover(retried).outcome.kind == OutcomeKind::lost);
  PosixLauncherConfig later = config;
  ++later.store.epoch;
  auto result = PosixLauncher(later).recover(launch, boot_id);
  REQUIRE(std::holds_alternative<std::unique_ptr<LiveAttempt>>(result));
  CHECK(finish(*std::get<0>(result)).outcome.kind == OutcomeKind::lost);
  std::filesystem::rename(lock, lock + ".was");
  std::filesystem::copy_file(lock + ".was", lock);
  CHECK(recover(launch).outcome.kind == OutcomeKind::lost);
}

TEST_CASE_FIXTURE(Fixture, "a copy of an attempt's folder ends no process of the original") {
  Fifo told = fifo("told");
  const Launch launch = shell("echo $$ > " + told.path() + "; exec sleep 1000");
  const auto live = start(launch);
  const Witness command(told.read_line());
  PosixLauncherConfig copy = config;
  copy.attempts_dir = dir.path() + "/copy";
  const auto recover_copy = [&] {
    auto result = PosixLauncher(copy).recover(launch, boot_id);
    if (auto* end = std::get_if<AttemptEnd>(&result)) return *end;
    return finish(*std::get<0>(result));
  };
  copy_files(config.attempts_dir, copy.attempts_dir);
  CHECK(recover_copy().outcome.kind == OutcomeKind::lost);
  CHECK_FALSE(command.is_dead());
  // Nor where the copy has no lock, and the place is not known to be the original's.
  std::filesystem::remove_all(copy.attempts_dir);
  copy.store.is_verified = false;
  CHECK(recover_copy().outcome.kind == OutcomeKind::lost);
  CHECK_FALSE(command.is_dead());
  // Nor where it shares the folder with another store.
  copy = config;
  copy.store.id = "another";
  CHECK(recover_copy().outcome.kind == OutcomeKind::lost);
  CHECK_FALSE(command.is_dead());
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
}

TEST_CASE_FIXTURE(Fixture, "an attempt starts in an empty folder, whatever lay there") {
  const Launch launch = shell("echo mine");
  std::filesystem::create_directories(folder(launch));
  overwrite(folder(launch) + "/stdout.0", "of another history");
  overwrite(folder(launch) + "/stderr.0", "of another history");
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == "mine\n");
  CHECK_FALSE(std::filesystem::exists(folder(launch) + "/stderr.0"));
}

TEST_CASE_FIXTURE(Fixture, "a start that fails for the task's sake shows no output of another") {
  Launch launch = shell("true");
  launch.uid = is_root() ? 1'999'999'999 : 0;
  std::filesystem::create_directories(folder(launch));
  overwrite(folder(launch) + "/stdout.0", "of another history");
  CHECK(refused(launch).outcome.kind == OutcomeKind::spawn_failed);
  CHECK_FALSE(std::filesystem::exists(folder(launch)));
}

TEST_CASE_FIXTURE(Fixture, "the folder of a job that runs is not removed under it") {
  Fifo go = fifo("go");
  const Launch launch = shell("read x < " + go.path() + "; exit 1");
  const auto live = start(launch);
  PosixLauncher(config).remove_task(1, 1);
  CHECK(std::filesystem::exists(folder(launch)));
  go.write_line("on");
  CHECK(finish(*live).outcome == Outcome{OutcomeKind::exited, 1, ""});
}

TEST_CASE_FIXTURE(Fixture, "an attempt number that came to nothing can be started again") {
  const Launch launch = shell("echo once; exit 2");
  start_at_gate(config, launch, "");
  REQUIRE(recover(launch).outcome.kind == OutcomeKind::not_started);
  overwrite(folder(launch) + "/stdout.0", "stale");
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 2, ""});
  CHECK(out(launch) == "once\n");
}

TEST_CASE_FIXTURE(Fixture, "an attempt whose shim is alive is never started a second time") {
  Fifo go = fifo("go");
  const Launch launch = shell("read x < " + go.path() + "; exit 1");
  const auto live = start(launch);
  const AttemptEnd end = refused(launch);
  CHECK(end.outcome.kind == OutcomeKind::not_started);
  CHECK(end.outcome.code == EBUSY);
  CHECK(is_adopted(launch));
  go.write_line("on");
  CHECK(finish(*live).outcome == Outcome{OutcomeKind::exited, 1, ""});
}

TEST_CASE_FIXTURE(Fixture, "planted links are not followed") {
  const std::string victim = dir.path() + "/victim";
  REQUIRE(::mkdir(victim.c_str(), 0700) == 0);
  overwrite(victim + "/precious", "data");
  REQUIRE(::mkdir(config.attempts_dir.c_str(), 0700) == 0);
  REQUIRE(::mkdir((config.attempts_dir + "/0").c_str(), 0700) == 0);
  const Launch launch = shell("true");
  REQUIRE(::symlink(victim.c_str(), folder(launch).c_str()) == 0);
  CHECK(refused(launch).outcome.kind == OutcomeKind::not_started);
  PosixLauncher(config).remove_task(1, 1);
  CHECK(read_file(victim + "/precious", 100) == "data");
}

}  // namespace
}  // namespace taskd
