#include <SQLiteCpp/SQLiteCpp.h>
#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

// What `nice` prints in a task that asks for this much: the daemon of these tests never yields less
// than the tests themselves.
std::string printed(const TestDaemon& daemon, int nice) {
  const std::string own = daemon.shell("nice").out;
  return std::stoi(own) >= nice ? own : std::to_string(nice) + "\n";
}

}  // namespace

TEST_CASE("a task yields the processor as its submitter does, as it is asked to, or as its queue") {
  const TestDaemon daemon({.config = "[queues.slow.defaults]\nnice = 7\n"
                                     "[handlers.h]\nshell = \"nice\"\nnice = 4\n"});
  const RunResult own = daemon.shell("nice");
  CHECK(daemon.shell("$T run --shell nice").out == own.out);
  CHECK(daemon.shell("nice -n 5 $T run --shell nice").out ==
        daemon.shell("nice -n 5 nice").out);
  CHECK(daemon.shell("nice -n 5 $T run --nice 9 --shell nice").out == printed(daemon, 9));
  CHECK(daemon.shell("$T run -q slow --shell nice").out == printed(daemon, 7));
  CHECK(daemon.shell("$T run -q slow --nice 0 --shell nice").out == own.out);
  CHECK(daemon.shell("$T run --handler h").out == printed(daemon, 4));
  CHECK(contains(daemon.ctl({"show", "2"}).out, "nice"));
  CHECK(daemon.show("3").at("nice") == 9);
  const RunResult favoured = daemon.ctl({"submit", "--nice", "-5", "--", "true"});
  CHECK(favoured.exit_code == 65);
  CHECK(contains(favoured.err, "--nice"));
}

TEST_CASE("copies and edits keep what a task yields") {
  const TestDaemon daemon;
  REQUIRE(daemon.shell("$T submit --nice 6 --hold --shell nice").out == "1\n");
  CHECK(daemon.shell("$T run --like 1").out == printed(daemon, 6));
  CHECK(daemon.ctl({"edit", "1", "--nice", "11"}).exit_code == 0);
  CHECK(daemon.ctl({"release", "1"}).exit_code == 0);
  CHECK(daemon.wait("1").at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", "1"}).out == printed(daemon, 11));
  CHECK(daemon.ctl({"queue", "set", "q", "--default", "nice=3"}).exit_code == 0);
  CHECK(daemon.shell("$T run -q q --shell nice").out == printed(daemon, 3));
  CHECK(contains(daemon.ctl({"queue", "show", "q"}).out, "nice=3"));
}

TEST_CASE("a stored niceness that no submit may have favours no task and keeps none from its end") {
  const TestDaemon daemon;
  const std::string too_large = daemon.submit({"--hold", "--nice", "3", "--shell", "nice"});
  const std::string negative = daemon.submit({"--hold", "--nice", "4", "--shell", "nice"});
  SQLite::Database(daemon.state_dir() + "/taskctl.db", SQLite::OPEN_READWRITE, 5000)
      .exec("UPDATE task_specs SET spec = replace(spec, '\"nice\":3', '\"nice\":300');"
            "UPDATE task_specs SET spec = replace(spec, '\"nice\":4', '\"nice\":-4')");
  REQUIRE(daemon.ctl({"release", too_large, negative}).exit_code == 0);
  CHECK(daemon.wait(too_large).at("state") == "succeeded");
  CHECK(daemon.ctl({"logs", too_large}).out == "19\n");
  CHECK(daemon.wait(negative).at("state") == "failed");
  CHECK(contains(daemon.ctl({"show", negative}).out, "nice"));
}
