// What a job gets, and what comes back from it.

#include <sys/resource.h>

#include <algorithm>
#include <fstream>

#include "tests/unit/process/fixture.h"

namespace taskd {
namespace {

TEST_CASE_FIXTURE(Fixture, "a command that exits is exited with its code") {
  for (const int code : {0, 1, 42, 255}) {
    const AttemptEnd end = run(shell("exit " + std::to_string(code)));
    CHECK(end.outcome == Outcome{OutcomeKind::exited, code, ""});
    CHECK(end.ended_at.has_value());
    launcher().cleanup_attempt(1, 1);
  }
}

TEST_CASE_FIXTURE(Fixture, "a command that a signal ends is signaled with its number") {
  CHECK(run(shell("kill -9 $$")).outcome == Outcome{OutcomeKind::signaled, SIGKILL, ""});
  CHECK(run(shell("kill -15 $$")).outcome == Outcome{OutcomeKind::signaled, SIGTERM, ""});
  CHECK(run(shell("kill -11 $$")).outcome.code == SIGSEGV);
}

struct StartFixture : Fixture {
  std::string write(const std::string& name, const std::string& text, mode_t mode) const {
    const std::string path = dir.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << text;
    REQUIRE(::chmod(path.c_str(), mode) == 0);
    return path;
  }
  void check_refused(Launch launch, int error, const std::string& sentence) {
    launch.attempt = ++attempt_;
    CHECK(run(launch).outcome == Outcome{OutcomeKind::spawn_failed, error, sentence});
  }

 private:
  int attempt_ = 0;
};

TEST_CASE_FIXTURE(StartFixture, "a command that cannot be run is named, and what it lacks") {
  check_refused(argv({"no-such-program"}), ENOENT, "Program no-such-program was not found in PATH");
  check_refused(argv({"/no/such"}), ENOENT, "Program /no/such does not exist");
  check_refused(argv({""}), ENOENT, "Program  was not found in PATH");
  check_refused(argv({"/etc/passwd"}), EACCES,
                "Program /etc/passwd cannot be run: Permission denied");
  check_refused(argv({"/etc"}), EACCES, "Program /etc cannot be run: Permission denied");
  const std::string script = write("script", "#!/no/such/sh -e\ntrue\n", 0755);
  check_refused(argv({script}), ENOENT, "Interpreter /no/such/sh of " + script + " does not exist");
  const std::string windows = write("windows", "#!/bin/sh\r\ntrue\r\n", 0755);
  check_refused(argv({windows}), ENOENT,
                "Interpreter /bin/sh\\r of " + windows +
                    " does not exist: its lines end with CR LF, convert them to LF");
  Launch by_path = argv({"windows"});
  by_path.spec.env["PATH"] = "/nowhere:" + dir.path();
  check_refused(by_path, ENOENT,
                "Interpreter /bin/sh\\r of " + windows +
                    " does not exist: its lines end with CR LF, convert them to LF");
}

TEST_CASE_FIXTURE(StartFixture, "a folder that cannot be entered is named") {
  Launch launch = shell("true");
  launch.spec.cwd = "/no/such\nfolder";
  check_refused(launch, ENOENT, "Folder /no/such\\nfolder does not exist");
  launch.spec.cwd = "/etc/passwd";
  check_refused(launch, ENOTDIR, "Folder /etc/passwd cannot be entered: Not a directory");
  if (!is_root()) return;
  const std::string closed = dir.path() + "/closed";
  REQUIRE(::mkdir(closed.c_str(), 0700) == 0);
  launch.uid = kNobody;
  launch.spec.cwd = closed;
  check_refused(launch, EACCES, "Folder " + closed + " cannot be entered: Permission denied");
}

TEST_CASE_FIXTURE(Fixture, "arguments arrive exactly as they were given") {
  const std::vector<std::string> odd = {"",  " ",  "a b", "'",       "\"$HOME\"",
                                        "*", "\n", "\\",  "\xff\x01"};
  std::vector<std::string> words = {"printf", "<%s>"};
  words.insert(words.end(), odd.begin(), odd.end());
  const Launch launch = argv(words);
  REQUIRE(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  std::string expected;
  for (const std::string& word : odd) expected += "<" + word + ">";
  CHECK(out(launch) == expected);
}

TEST_CASE_FIXTURE(Fixture, "a command as large as the limits allow passes the gate") {
  std::vector<std::string> words = {"/bin/sh", "-c", "printf %s $# ${#1}", "sh"};
  while (words.size() < 1000) words.push_back(std::string(words.size() == 4 ? 131'071 : 1000, 'x'));
  const Launch launch = argv(words);
  REQUIRE(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == "996131071");
}

TEST_CASE_FIXTURE(Fixture, "a command beyond the limits is refused, not cut") {
  CHECK(refused(argv(std::vector<std::string>(5000, "x"))).outcome ==
        Outcome{OutcomeKind::spawn_failed, E2BIG, "Command and environment are too large"});
  CHECK(run(argv({"true", std::string(140'000, 'x')})).outcome ==
        Outcome{OutcomeKind::spawn_failed, E2BIG,
                "Program /usr/bin/true cannot be run: Argument list too long"});
  CHECK(refused(argv({"true", std::string("a\0b", 3)})).outcome ==
        Outcome{OutcomeKind::spawn_failed, EINVAL, "Command or environment contains a NUL byte"});
}

TEST_CASE_FIXTURE(Fixture, "a job sees its own environment and nothing of the daemon's") {
  ::setenv("TASKD_TEST_LEAK", "1", 1);
  Launch launch = argv({"env"});
  launch.spec.env = {{"COLOUR", "blue"}, {"TASKD_ATTEMPT", "99"}, {"HOME", "/elsewhere"}};
  launch.spec.queue = "nightly";
  REQUIRE(run(launch).outcome.code == 0);
  const std::string env = "\n" + out(launch);
  for (const std::string& line :
       {std::string("COLOUR=blue"), std::string("HOME=/elsewhere"), std::string("TASKD_TASK_ID=1"),
        std::string("TASKD_ATTEMPT=1"), std::string("TASKD_QUEUE=nightly"),
        std::string("TASKD_SOCKET=/run/taskctl.sock"), "TASKD_TOKEN=" + launch.secret}) {
    CHECK_MESSAGE(env.find("\n" + line + "\n") != std::string::npos, line);
  }
  CHECK(env.find("\nPATH=/") != std::string::npos);
  CHECK(env.find("\nUSER=") != std::string::npos);
  CHECK(env.find("\nSHELL=/") != std::string::npos);
  CHECK(env.find("\nTASKD_RESULT_FILE=" + folder(launch) + "/result\n") != std::string::npos);
  CHECK(env.find("TASKD_TEST_LEAK") == std::string::npos);
  CHECK(std::count(env.begin(), env.end(), '\n') == 13);
}

TEST_CASE_FIXTURE(Fixture, "programs are searched in the job's own PATH") {
  const std::string program = dir.path() + "/only-here";
  {
    const UniqueFd fd(::open(program.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
    const std::string text = "echo found $1\n";  // no "#!": /bin/sh runs it
    REQUIRE(::write(fd.get(), text.data(), text.size()) > 0);
  }
  Launch launch = argv({"only-here", "you"});
  launch.spec.env = {{"PATH", "/nowhere:" + dir.path()}};
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == "found you\n");
}

TEST_CASE_FIXTURE(Fixture, "a job starts clean: three descriptors, no stdin, no blocked signals") {
  const Launch launch = shell(
      "ls -l /proc/self/fd | wc -l; cat | wc -c; umask; pwd;"
      "grep -E '^Sig(Blk|Cgt)' /proc/self/status; grep ^SigIgn /proc/$$/status");
  REQUIRE(run(launch).outcome.code == 0);
  std::string text = out(launch);
  CHECK(text.find("5\n0\n0022\n/\n") == 0);  // "total", 0, 1, 2 and the one ls itself reads
  CHECK(text.find("SigBlk:\t0000000000000000\n") != std::string::npos);
  // SIGPIPE, ignored in this process, is not; the two above 31 are glibc's own.
  const std::size_t ignored = text.find("SigIgn:\t");
  REQUIRE(ignored != std::string::npos);
  CHECK((std::stoull(text.substr(ignored + 8), nullptr, 16) << 33) == 0);
}

TEST_CASE_FIXTURE(Fixture, "a command runs under the umask of its task") {
  Launch launch = shell("umask; touch made; stat -c %a made");
  launch.spec.cwd = dir.path();
  launch.spec.process.umask = 0137;
  REQUIRE(run(launch).outcome.code == 0);
  CHECK(out(launch) == "0137\n640\n");
}

TEST_CASE_FIXTURE(Fixture, "both streams are kept apart and the end of stderr is reported") {
  const Launch launch = shell("echo out; echo err >&2");
  const AttemptEnd end = run(launch);
  CHECK(out(launch) == "out\n");
  CHECK(out(launch, Stream::err) == "err\n");
  CHECK(end.stderr_tail == "err\n");
}

TEST_CASE_FIXTURE(Fixture, "what the whole tree used is reported") {
  const AttemptEnd end = run(shell("(i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done) & wait"));
  CHECK(end.usage.user_cpu_ms + end.usage.system_cpu_ms > 0);
  CHECK(end.usage.max_rss_bytes > 100'000);
}

TEST_CASE_FIXTURE(Fixture, "a task of another user runs as that user with that user's groups") {
  if (!is_root()) return;
  Launch launch = shell("id -u; id -ru; id -G; grep -E '^Cap(Prm|Eff)' /proc/self/status");
  launch.uid = kNobody;
  REQUIRE(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) ==
        "65534\n65534\n65534\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
}

TEST_CASE_FIXTURE(Fixture, "a task of another user may open its own stdout and stderr") {
  if (!is_root()) return;
  Launch launch = shell("echo one >/dev/stdout && echo two >/dev/stderr");
  launch.uid = kNobody;
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == "one\n");
  CHECK(out(launch, Stream::err) == "two\n");
}

TEST_CASE_FIXTURE(Fixture, "a task's user must exist, and be our own unless we are root") {
  Launch launch = shell("true");
  launch.uid = 3'000'000'017;
  const char* why = is_root() ? "there is no user with uid 3000000017"
                              : "only a daemon of root runs anything as another user than its own";
  CHECK(refused(launch).outcome == Outcome{OutcomeKind::spawn_failed, 0, why});
}

TEST_CASE_FIXTURE(Fixture, "nothing starts for users who are not who they were") {
  if (!is_root()) return;
  Launch launch = shell("true");
  const auto refusal = [&](const KnownUser& user) {
    launch.users = {user};
    return refused(launch).outcome.detail;
  };
  CHECK(refusal({1, "alice", false}) == "uid 1 was alice's and is daemon's now");
  CHECK(refusal({3'000'000'017, "alice", false}) ==
        "user 3000000017 (alice) does not exist any more");
  CHECK(refusal({1, "daemon", true}) == "user 1 (daemon) does not exist any more");
  // Still the same, nobody's name in particular, root under another name, and two of them.
  for (const KnownUser& user :
       {KnownUser{1, "daemon", false}, KnownUser{1, "", false}, KnownUser{0, "toor", false}}) {
    launch.users = {user};
    ++launch.attempt;
    CHECK(run(launch).outcome.kind == OutcomeKind::exited);
  }
  launch.users = {{1, "daemon", false}, {2, "alice", false}};
  CHECK(refused(launch).outcome.detail == "uid 2 was alice's and is bin's now");
}

TEST_CASE_FIXTURE(Fixture, "a job reads nothing, the file it was given, or the text") {
  const std::string input = dir.path() + "/input";
  std::ofstream(input) << "from a file";
  Launch launch = shell("cat");
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch).empty());
  launch.attempt = 2;
  launch.spec.stdin_file = input;
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == "from a file");
  launch.attempt = 3;
  launch.spec.stdin_file.clear();
  launch.spec.stdin_text = std::string(300'000, 'x') + "end";
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == launch.spec.stdin_text);
  CHECK(std::filesystem::exists(folder(launch) + "/input"));
  launcher().cleanup_attempt(1, 3);
  CHECK_FALSE(std::filesystem::exists(folder(launch) + "/input"));
}

TEST_CASE_FIXTURE(Fixture, "a stdin that is missing or a folder fails to spawn") {
  Launch launch = shell("true");
  launch.spec.stdin_file = dir.path() + "/missing";
  CHECK(run(launch).outcome == Outcome{OutcomeKind::spawn_failed, ENOENT,
                                       "Input " + dir.path() + "/missing does not exist"});
  launch.attempt = 2;
  launch.spec.stdin_file = dir.path();
  CHECK(run(launch).outcome == Outcome{OutcomeKind::spawn_failed, EISDIR,
                                       "Input " + dir.path() + " cannot be read: Is a directory"});
}

TEST_CASE_FIXTURE(Fixture, "a job that waits for its stdin to be opened can be stopped at once") {
  const std::string closed = dir.path() + "/closed";
  REQUIRE(::mkfifo(closed.c_str(), 0600) == 0);
  Launch launch = shell("cat");
  launch.spec.stdin_file = closed;
  launch.spec.grace_ms = 3'600'000;
  const auto live = start(launch);
  live->stop();
  CHECK(finish(*live).outcome.kind == OutcomeKind::cancelled);
}

TEST_CASE_FIXTURE(Fixture, "a job's stdin is opened as its user, and a text belongs to it") {
  if (!is_root()) return;
  const std::string closed = dir.path() + "/closed";
  std::ofstream(closed) << "secret";
  REQUIRE(::chmod(closed.c_str(), 0600) == 0);
  Launch launch = shell("cat /dev/stdin");
  launch.uid = kNobody;
  launch.spec.stdin_file = closed;
  CHECK(run(launch).outcome == Outcome{OutcomeKind::spawn_failed, EACCES,
                                       "Input " + closed + " cannot be read: Permission denied"});
  launch.attempt = 2;
  launch.spec.stdin_file.clear();
  launch.spec.stdin_text = "text";
  CHECK(run(launch).outcome == Outcome{OutcomeKind::exited, 0, ""});
  CHECK(out(launch) == "text");
}

TEST_CASE_FIXTURE(Fixture, "a missing shim starts nothing and leaves nothing") {
  config.shim_path = "/no/such/shim";
  const Launch launch = shell("true");
  const AttemptEnd end = refused(launch);
  CHECK(end.outcome.kind == OutcomeKind::not_started);
  CHECK(end.outcome.code == ENOENT);
  CHECK_FALSE(std::filesystem::exists(folder(launch)));
}

TEST_CASE_FIXTURE(Fixture, "no room for another process starts nothing") {
  if (!is_root()) return;
  REQUIRE(::mkdir(config.attempts_dir.c_str(), 0700) == 0);
  REQUIRE(::chown(config.attempts_dir.c_str(), kNobody, kNobody) == 0);
  const Helper helper([&] {
    const rlimit one{1, 1};
    if (::setresgid(kNobody, kNobody, kNobody) != 0 || ::setrlimit(RLIMIT_NPROC, &one) != 0 ||
        ::setresuid(kNobody, kNobody, kNobody) != 0) {
      return false;
    }
    const AttemptEnd end = refused(shell("true"));
    return end.outcome.kind == OutcomeKind::not_started && end.outcome.code == EAGAIN;
  });
}

#ifndef __SANITIZE_ADDRESS__  // the sanitizers need descriptors of their own
TEST_CASE_FIXTURE(Fixture, "no descriptor left starts nothing") {
  launcher();
  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
  for (rlim_t room = 1; room < 8; ++room) {
    const rlimit tight{open_fds() - 1 + room, old.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &tight) == 0);
    auto result = launcher().launch(shell("true"));
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
    // Here, or in the fork server or the shim, which inherit the limit.
    auto* live = std::get_if<std::unique_ptr<LiveAttempt>>(&result);
    const AttemptEnd end = live != nullptr ? finish(**live) : std::get<AttemptEnd>(result);
    if (end.outcome.kind == OutcomeKind::exited) continue;
    CHECK(end.outcome.kind == OutcomeKind::not_started);
    CHECK(end.outcome.code == EMFILE);
  }
}
#endif

TEST_CASE_FIXTURE(Fixture, "settling keeps the output and removing takes everything") {
  const Launch quiet = shell("true");
  run(quiet);
  launcher().cleanup_attempt(1, 1);
  CHECK_FALSE(std::filesystem::exists(folder(quiet)));

  Launch loud = shell("echo hello");
  loud.attempt = 2;
  run(loud);
  launcher().cleanup_attempt(1, 2);
  CHECK(out(loud) == "hello\n");
  CHECK_FALSE(std::filesystem::exists(folder(loud) + "/lock"));
  CHECK(launcher().remove_task(1, 3) >= 6);
  CHECK(launcher().remove_task(1, 3) == 0);
  CHECK(std::filesystem::is_empty(config.attempts_dir));
}

}  // namespace
}  // namespace taskd
