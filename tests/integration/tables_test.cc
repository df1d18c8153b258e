#include <doctest/doctest.h>

#include <array>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

std::string shown(const TestDaemon& daemon, std::vector<std::string> args, unsigned short columns) {
  Terminal terminal(24, columns);
  RunOptions options;
  options.output_file = terminal.path();
  args.insert(args.end(), {"--color", "never"});
  CHECK(daemon.ctl(args, options).exit_code == 0);
  return terminal.shown();
}

}  // namespace

TEST_CASE("narrow tables keep states and names, and leave out what says nothing") {
  const TestDaemon daemon({.config = "[queues.night]\n"});
  daemon.submit({"--hold", "--name", "transcode", "-q", "night", "--priority", "5", "--", "true"});
  daemon.wait(daemon.submit({"--name", "nightly-report", "--", "true"}));
  for (const unsigned short columns : std::array<unsigned short, 3>{40, 60, 80}) {
    CAPTURE(columns);
    const std::string list = shown(daemon, {"list"}, columns);
    CHECK_MESSAGE(contains(list, "STATE"), list);
    CHECK_MESSAGE(contains(list, "succeeded"), list);
    CHECK_MESSAGE(contains(list, "transco"), list);
    CHECK_FALSE(contains(list, "REASON"));
    const std::string stats = shown(daemon, {"stats"}, columns);
    for (const char* title : {"QUEUE", "HELD", "SUCCEEDED"})
      CHECK_MESSAGE(contains(stats, title), stats);
    const std::string queues = shown(daemon, {"queue", "list"}, columns);
    for (const char* title : {"RUNNING", "QUEUED", "OTHERS"})
      CHECK_MESSAGE(contains(queues, title), queues);
    CHECK_FALSE(contains(queues, "STATE"));
  }
  REQUIRE(daemon.ctl({"queue", "pause", "night"}).exit_code == 0);
  CHECK(contains(shown(daemon, {"queue", "list"}, 40), "paused"));
  CHECK(contains(shown(daemon, {"stats"}, 40), "paused"));
}

TEST_CASE("schedule list at 80 columns shows the whole cron line") {
  const TestDaemon daemon;
  const std::string cron = "0,15,30,45 8-18 * jan-jun mon-fri";
  REQUIRE(daemon
              .ctl({"schedule", "add", "report-of-the-quarter", "--cron", cron, "--tz",
                    "America/Argentina/Buenos_Aires", "--", "true"})
              .exit_code == 0);
  CHECK(contains(shown(daemon, {"schedule", "list"}, 80), cron));
}

TEST_CASE("list shows a backslash as it is") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--name", "C:\\temp", "--", "true"});
  daemon.submit({"--hold", "--shell", "printf 'a\\n'"});
  daemon.submit({"--hold", "--", "printf", "two\nlines"});
  const std::string list = daemon.ctl({"list"}).out;
  CHECK(contains(list, "C:\\temp\n"));
  CHECK(contains(list, "printf 'a\\n'\n"));
  CHECK(contains(list, "printf $'two\\nlines'\n"));
}

TEST_CASE("show keeps its labels in their column") {
  const TestDaemon daemon;
  const std::string id = daemon.submit(
      {"--grace", "1h", "--shell", "trap '' TERM; echo up; while :; do sleep 0.1; done"});
  while (daemon.ctl({"logs", id}).out != "up\n") {
  }
  REQUIRE(daemon.ctl({"cancel", id}).exit_code == 0);
  const std::string text = daemon.ctl({"show", id}).out;
  const std::size_t line = text.find("  cancel sent ");
  REQUIRE(line != std::string::npos);
  CHECK(text[line + 14] != ' ');
  REQUIRE(daemon.ctl({"signal", "KILL", id}).exit_code == 0);
  daemon.wait(id);
}
