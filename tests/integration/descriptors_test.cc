#include <doctest/doctest.h>
#include <signal.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("taskctl without a stdin reads nothing, and never its own connection") {
  const TestDaemon daemon;
  for (const char* line :
       {"$T submit --from - <&-", "$T submit --each-line - <&- -- echo", "$T submit <&- -- true",
        "$T submit --stdin - <&- -- cat", "$T list <&-", "$T run --stdin - <&- -- cat"}) {
    CAPTURE(line);
    const RunResult result = daemon.shell(line);
    CHECK_MESSAGE(result.exit_code == 0, result.err);
  }
  const RunResult payload = daemon.shell("$T submit --handler x --payload - <&-");
  CHECK(payload.exit_code == 65);
}

TEST_CASE("taskctl without a stdout or a stderr writes nothing into its connection") {
  const TestDaemon daemon;
  for (const char* closed : {">&-", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"}) {
    CAPTURE(closed);
    const std::string line = std::string("$T run --shell 'echo to-out; echo to-err >&2; exit 7' ");
    CHECK(daemon.shell(line + closed).exit_code == 7);
    CHECK(daemon.shell(std::string("$T submit --wait --shell 'exit 6' ") + closed).exit_code == 6);
    CHECK(daemon.shell(std::string("$T logs --follow last ") + closed).exit_code == 0);
    CHECK(daemon.shell(std::string("$T show 999 ") + closed).exit_code == 66);
  }
  CHECK(daemon.ctl({"doctor"}).exit_code == 0);
}

TEST_CASE("a daemon without standard descriptors keeps them away from its files") {
  TempDir dir;
  const std::string socket = dir / "sock";
  RunOptions options;
  options.env["TASKD_SOCKET"] = socket;
  const std::string flags = " --state-dir " + (dir / "state") + " --socket " + socket;
  const RunResult result = run(
      {"sh", "-c",
       taskd_path() + flags + " --init >/dev/null; " + taskd_path() + flags +
           " <&- >&- 2>&- & pid=$!; until " + taskctl_path() +
           " stats >/dev/null 2>&1; do sleep 0.05; done; ls -l /proc/$pid/fd/0 /proc/$pid/fd/1 "
           "/proc/$pid/fd/2; " +
           taskctl_path() + " run -- echo fine; kill $pid; wait $pid; echo ended $?"},
      options);
  CHECK(contains(result.out, "fine\n"));
  CHECK(contains(result.out, "ended 0\n"));
  for (const char* fd : {"fd/0 -> /dev/null", "fd/1 -> /dev/null", "fd/2 -> /dev/null"})
    CHECK_MESSAGE(contains(result.out, fd), result.out);
}

TEST_CASE("wait takes fewer connections where few descriptors are left") {
  const TestDaemon daemon;
  std::string ids;
  for (int i = 0; i < 30; ++i) ids += " " + daemon.submit({"--delay", "1s", "--", "true"});
  const RunResult few = daemon.shell("ulimit -n 8; exec $T wait" + ids);
  CHECK_MESSAGE(few.exit_code == 0, few.err);
}

// A sanitized taskctl is dynamic: without descriptors it does not even load.
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST_CASE("a machine without descriptors is exit code 75, whatever the verb needs them for") {
  const TestDaemon daemon;
  daemon.submit({"--delay", "1h", "--", "true"});
  for (const char* line : {"exec $T wait 1", "exec $T list", "exec $T submit -- true",
                           "exec $T run -- true", "exec $T logs --follow 1"}) {
    CAPTURE(line);
    const RunResult none = daemon.shell(std::string("ulimit -n 3; ") + line);
    CHECK(none.exit_code == 75);
    CHECK(contains(none.err, "Too many open files"));
    CHECK_FALSE(contains(none.err, "unexpected"));
  }
  const RunResult file = daemon.shell("ulimit -n 3; exec $T submit --each-line /etc/passwd -- true");
  CHECK(file.exit_code == 75);
}
#endif
