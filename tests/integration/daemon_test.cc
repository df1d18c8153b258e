#include "tests/support/daemon.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "daemon/base/unique_fd.h"
#include "tests/support/users.h"

using namespace taskd::test;

namespace {

RunResult run_taskd(std::vector<std::string> args, const RunOptions& options = {}) {
  args.insert(args.begin(), taskd_path());
  return run(args, options);
}

// A configuration file of our own keeps the machine's out of the test.
std::vector<std::string> flags_for(const TempDir& dir) {
  write_text(dir / "empty.toml", "");
  return {"--config", dir / "empty.toml", "--state-dir", dir / "state", "--socket", dir / "sock"};
}

// Where the start is refused for another reason than a missing store.
void make_store(const TempDir& dir) {
  std::vector<std::string> args = flags_for(dir);
  args.push_back("--init");
  REQUIRE(run_taskd(args).exit_code == 0);
}

RunResult start_on(const TempDir& dir, std::vector<std::string> more = {}) {
  std::vector<std::string> args = flags_for(dir);
  args.insert(args.end(), more.begin(), more.end());
  return run_taskd(args);
}

// A socket file as a killed daemon leaves it.
void leave_stale_socket(const std::string& path) {
  const taskd::UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  REQUIRE(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
}

}  // namespace

TEST_CASE("a second daemon on the same state gives up at once and leaves the first alone") {
  const TestDaemon daemon;
  write_text(daemon.dir() / "second.toml", "");
  const RunResult second = run_taskd({"--config", daemon.dir() / "second.toml", "--state-dir",
                                      daemon.state_dir(), "--socket", daemon.socket()});
  CHECK(second.exit_code == 75);
  CHECK(second.err.find(std::to_string(daemon.pid())) != std::string::npos);
  CHECK(daemon.wait(daemon.submit({"--", "true"})).at("state") == "succeeded");
}

TEST_CASE("a socket left behind by a killed daemon is replaced") {
  TestDaemon daemon;
  daemon.kill9();
  struct stat st {};
  CHECK(::stat(daemon.socket().c_str(), &st) == 0);
  daemon.start();
  CHECK(daemon.ctl({"stats"}).exit_code == 0);
  daemon.stop();
  CHECK(::stat(daemon.socket().c_str(), &st) != 0);
  leave_stale_socket(daemon.socket());
  daemon.start();
}

TEST_CASE("something else in the socket's place is refused and left alone") {
  const TempDir dir;
  make_store(dir);
  write_text(dir / "sock", "precious");
  const RunResult result = start_on(dir);
  CHECK(result.exit_code == 73);
  CHECK(result.err.find(dir / "sock") != std::string::npos);
  CHECK(read_text(dir / "sock") == "precious");
}

TEST_CASE("a socket path over 107 bytes is refused with its length") {
  const TempDir dir;
  const RunResult result =
      run_taskd({"--state-dir", dir / "state", "--socket", dir / std::string(120, 's')});
  CHECK(result.exit_code == 78);
  CHECK(result.err.find("107") != std::string::npos);
}

TEST_CASE("a cgroup that cannot hold jobs is refused at once") {
  const TempDir dir;
  const RunResult result = start_on(dir, {"--cgroup", dir.path()});
  CHECK(result.exit_code == 78);
  CHECK(result.err.find(dir.path()) != std::string::npos);
}

TEST_CASE("a foreign file as database is refused and not changed") {
  const TempDir dir;
  REQUIRE(::mkdir((dir / "state").c_str(), 0700) == 0);
  const std::string text = "Dear diary, " + std::string(4096, '.');
  write_text(dir / "state/taskctl.db", text);
  const RunResult result = start_on(dir);
  CHECK(result.exit_code == 65);
  CHECK(result.err.find("taskctl.db") != std::string::npos);
  CHECK(read_text(dir / "state/taskctl.db") == text);
}

TEST_CASE("the configuration is checked: each wrong setting is named with its place") {
  const TempDir dir;
  struct Case {
    std::string text;
    std::string names;
  };
  for (const Case& c : std::vector<Case>{
           {"workers = 0\n", "workers"},
           {"workers = \"many\"\n", "workers"},
           {"\nwrokers = 2\n", ":2"},
           {"state_dir = \"relative\"\n", "state_dir"},
           {"output_cap = \"1 parsec\"\n", "output_cap"},
           {"socket_mode = \"0999\"\n", "socket_mode"},
           {"log_level = \"loud\"\n", "log_level"},
           {"[queues.mail]\ncapacity = -1\n", "capacity"},
           {"[queues.\"bad name\"]\n", "bad name"},
           {"workers = 1\nworkers = 2\n", ":2"},
           {"this is no toml\n", ":1"},
       }) {
    write_text(dir / "taskctl.toml", c.text);
    const RunResult result = run_taskd({"--config", dir / "taskctl.toml", "--check-config"});
    CAPTURE(c.text);
    CAPTURE(result.err);
    CHECK(result.exit_code == 78);
    CHECK(result.err.find(c.names) != std::string::npos);
  }
  CHECK(run_taskd({"--config", dir / "missing.toml", "--check-config"}).exit_code == 78);
  CHECK(run_taskd({"--no-such-flag"}).exit_code == 64);
  CHECK(run_taskd({"--workers", "-1"}).exit_code == 64);
}

TEST_CASE("a flag wins over a variable, and a variable over the file") {
  const TempDir dir;
  write_text(dir / "taskctl.toml",
             "workers = 3\nlog_level = \"warn\"\n[queues.mail]\ncapacity = 9\n");
  RunOptions options;
  CHECK(run_taskd({"--config", dir / "taskctl.toml", "--check-config"}).out.find("workers = 3") !=
        std::string::npos);
  options.env["TASKD_WORKERS"] = "5";
  const RunResult variable =
      run_taskd({"--config", dir / "taskctl.toml", "--check-config"}, options);
  CHECK(variable.out.find("workers = 5") != std::string::npos);
  CHECK(variable.out.find("log_level = \"warn\"") != std::string::npos);
  CHECK(variable.out.find("[queues.mail]\ncapacity = 9") != std::string::npos);
  const RunResult flag =
      run_taskd({"--config", dir / "taskctl.toml", "--workers", "7", "--check-config"}, options);
  CHECK(flag.out.find("workers = 7") != std::string::npos);
  options.env["TASKD_WORKERS"] = "lots";
  const RunResult wrong = run_taskd({"--config", dir / "taskctl.toml", "--check-config"}, options);
  CHECK(wrong.exit_code == 78);
  CHECK(wrong.err.find("TASKD_WORKERS") != std::string::npos);
}

TEST_CASE("SIGTERM ends the daemon cleanly and leaves running jobs to the next one") {
  TestDaemon daemon;
  const std::string gate = daemon.dir() / "gate";
  REQUIRE(run({"mkfifo", gate}).exit_code == 0);
  const std::string ready = daemon.dir() / "ready";
  const std::string id =
      daemon.submit({"--shell", "echo one; touch " + ready + "; cat " + gate + "; exit 6"});
  wait_for_file(ready);
  CHECK(daemon.stop().exit_code == 0);
  daemon.start();
  CHECK(daemon.state(id) == "running");
  write_text(gate, "two\n");
  const auto task = daemon.wait(id);
  CHECK(task.at("exit_code") == 6);
  CHECK(task.at("attempt") == 1);
  CHECK(daemon.ctl({"logs", id}).out == "one\ntwo\n");
}

TEST_CASE("the state is private to the daemon's user") {
  const TestDaemon daemon;
  struct stat st {};
  REQUIRE(::stat(daemon.state_dir().c_str(), &st) == 0);
  // Root's is for everybody's jobs, which pass through to their own result files.
  CHECK((st.st_mode & 0777) == (::geteuid() == 0 ? 0711 : 0700));
  REQUIRE(::stat((daemon.state_dir() + "/taskctl.db").c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
  REQUIRE(::stat(daemon.socket().c_str(), &st) == 0);
  CHECK((st.st_mode & 0777) == 0600);
}

TEST_CASE("jobs of other users come through a state directory that was closed before") {
  if (::geteuid() != 0) return;
  TestDaemon daemon;
  daemon.stop();
  REQUIRE(::chmod(daemon.dir().path().c_str(), 0711) == 0);
  REQUIRE(::chmod(daemon.state_dir().c_str(), 0700) == 0);
  daemon.start();
  const std::string id = daemon.submit(
      {"--user", "nobody", "--cwd", "/", "--shell", "echo '{\"n\": 1}' > $TASKD_RESULT_FILE"});
  CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"result", id}).out == "{\"n\":1}\n");
}

TEST_CASE("a state directory that others can write, or replace, is refused") {
  const TempDir dir;
  const std::string above = dir / "above";
  const std::string state = above + "/state";
  REQUIRE(::mkdir(above.c_str(), 0755) == 0);
  REQUIRE(::mkdir(state.c_str(), 0700) == 0);
  const auto start = [&](const std::string& path) {
    // It gets no further than to this path, which no socket can have.
    return run({taskd_path(), "--config", "/dev/null", "--state-dir", path, "--socket",
                "/" + std::string(200, 'x')});
  };
  const auto refused = [&](const std::string& path, const std::string& culprit) {
    const RunResult result = start(path);
    CAPTURE(result.err);
    return result.exit_code == 78 && contains(result.err, culprit + " may be written by others");
  };
  for (const mode_t mode : {0777, 0770, 0720, 01777}) {
    CAPTURE(mode);
    REQUIRE(::chmod(state.c_str(), mode) == 0);
    CHECK(refused(state, state));
  }
  REQUIRE(::chmod(state.c_str(), 0700) == 0);
  REQUIRE(::chmod(above.c_str(), 0757) == 0);
  CHECK(refused(state, above));
  REQUIRE(::symlink(state.c_str(), (dir / "link").c_str()) == 0);
  CHECK(refused(dir / "link", above));
  // Where each may remove only what is their own, nobody can put another in its place.
  REQUIRE(::chmod(above.c_str(), 01777) == 0);
  CHECK_FALSE(contains(start(state).err, "written by others"));
}

TEST_CASE("a configuration that others can write, or replace, is refused") {
  const TempDir dir;
  const std::string folder = dir / "etc";
  const std::string file = folder + "/taskctl.toml";
  REQUIRE(::mkdir(folder.c_str(), 0755) == 0);
  write_text(file, "workers = 2\n");
  const auto check = [&] { return run({taskd_path(), "--config", file, "--check-config"}); };
  CHECK(check().exit_code == 0);
  for (const mode_t mode : {0664, 0646, 0620}) {
    REQUIRE(::chmod(file.c_str(), mode) == 0);
    const RunResult result = check();
    CHECK(result.exit_code == 78);
    CHECK(contains(result.err, file + " may be written by others: chmod go-w it first"));
  }
  REQUIRE(::chmod(file.c_str(), 0644) == 0);
  REQUIRE(::chmod(folder.c_str(), 0777) == 0);
  CHECK(contains(check().err, folder + " may be written by others"));
  REQUIRE(::chmod(folder.c_str(), 0755) == 0);
  if (!can_make_users()) return;
  REQUIRE(::chown(file.c_str(), 65534, 65534) == 0);
  CHECK(contains(check().err, file + " belongs to "));
  REQUIRE(::chown(file.c_str(), 0, 0) == 0);
  REQUIRE(::chown(folder.c_str(), 65534, 65534) == 0);
  CHECK(contains(check().err, "who could put something else in its place"));
}

TEST_CASE("programs that the configuration names are nobody else's to change") {
  const TempDir dir;
  const std::string program = dir / "program";
  const std::string secret = dir / "secret";
  write_text(program, "#!/bin/sh\n");
  write_text(secret, "0123456789abcdef0123456789abcdef\n");
  REQUIRE(::chmod(secret.c_str(), 0600) == 0);
  REQUIRE(::chmod(program.c_str(), 0755) == 0);
  const auto check = [&](const std::string& config) {
    write_text(dir / "taskctl.toml", config);
    return run({taskd_path(), "--config", dir / "taskctl.toml", "--check-config"});
  };
  const std::string hook = "[hooks.a]\ncommand = [\"" + program + "\"]\n";
  const std::string handler = "[handlers.a]\ncommand = [\"" + program + "\"]\n";
  const std::string web =
      "[hooks.a]\nurl = \"http://127.0.0.1:1/\"\nsecret_file = \"" + secret + "\"\n";
  for (const std::string& config : {hook, handler, web}) CHECK(check(config).exit_code == 0);
  REQUIRE(::chmod(program.c_str(), 0775) == 0);
  for (const std::string& config : {hook, handler}) {
    const RunResult result = check(config);
    CHECK(result.exit_code == 78);
    CHECK(contains(result.err, "a.command: " + program + " may be written by others"));
  }
  REQUIRE(::chmod(program.c_str(), 0755) == 0);
  REQUIRE(::chmod(dir.path().c_str(), 0777) == 0);
  for (const std::string& config : {hook, handler, web}) {
    CHECK(contains(check(config).err, dir.path() + " may be written by others"));
  }
  REQUIRE(::chmod(dir.path().c_str(), 0700) == 0);
}

TEST_CASE("a state directory of another user is refused") {
  if (::geteuid() != 0) return;  // only root can give one away
  const TempDir dir;
  REQUIRE(::mkdir((dir / "state").c_str(), 0700) == 0);
  REQUIRE(::chown((dir / "state").c_str(), 65534, 65534) == 0);
  const RunResult result = start_on(dir);
  CHECK(result.exit_code == 78);
  CHECK(result.err.find(dir / "state") != std::string::npos);
  CHECK(result.err.find("65534") != std::string::npos);
}

TEST_CASE("starts that fail alike are told once, and go well once they can") {
  const TempDir dir;
  const std::string shim = dir / "taskd-shim";
  std::filesystem::copy_file(TASKD_BINARY_DIR "/taskd-shim", shim);
  const TestDaemon daemon({.workers = 1, .flags = {"--shim", shim}});
  std::filesystem::rename(shim, shim + ".away");
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) ids.push_back(daemon.submit({"--", "true"}));
  for (const std::string& id : ids) {
    bool was_refused = false;
    for (int look = 0; look < 1000 && !was_refused; ++look) {
      was_refused = daemon.state(id) == "scheduled";
    }
    REQUIRE(was_refused);
  }
  std::filesystem::rename(shim + ".away", shim);
  for (const std::string& id : ids) {
    const auto task = daemon.wait(id);
    CHECK(task.at("state") == "succeeded");
    CHECK(task.at("attempt") == 1);
  }
  const std::string log = daemon.log();
  const std::size_t told = log.find("could not be started");
  REQUIRE(told != std::string::npos);
  CHECK(log.find("could not be started", told + 1) == std::string::npos);
}

TEST_CASE("a path on the command line or in the environment may begin at the present folder") {
  const TempDir dir;
  const auto settings = [&](const std::string& line) {
    return run({"sh", "-c", "cd " + dir.path() + " && " + line});
  };
  const RunResult flags =
      settings(taskd_path() + " --state-dir state --socket run/sock --check-config");
  CHECK(contains(flags.out, "state_dir = \"" + dir.path() + "/state\""));
  CHECK(contains(flags.out, "socket = \"" + dir.path() + "/run/sock\""));
  CHECK(contains(settings("TASKD_STATE_DIR=./state " + taskd_path() + " --check-config").out,
                 "state_dir = \"" + dir.path() + "/./state\""));
  write_text(dir / "taskctl.toml", "state_dir = \"state\"\n");
  const RunResult file = settings(taskd_path() + " --config taskctl.toml --check-config");
  CHECK(file.exit_code == 78);
  CHECK(contains(file.err, "expected an absolute path"));
  CHECK(settings(taskd_path() + " --state-dir '' --check-config").exit_code == 64);
}

TEST_CASE("unknown arguments are named in the order in which they were given") {
  const RunResult result = run({taskd_path(), "first", "--second", "third"});
  CHECK(result.exit_code == 64);
  CHECK(contains(result.err, "unknown arguments: first --second third"));
  CHECK(contains(run({taskd_path(), "--nope"}).err, "unknown argument: --nope"));
}
