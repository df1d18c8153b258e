#include <doctest/doctest.h>

#include <filesystem>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {}  // namespace

TEST_CASE("prune removes what has ended and fits, with its output, and nothing else") {
  const TestDaemon daemon;
  const std::string good = daemon.submit({"--", "echo", "hello"});
  const std::string bad = daemon.submit({"--", "false"});
  const std::string held = daemon.submit({"--hold", "--", "true"});
  daemon.wait(good);
  daemon.wait(bad);
  CHECK(daemon.ctl({"prune", "--state", "succeeded", "--ended-before", "1h"}).exit_code == 0);
  CHECK(daemon.state(good) == "succeeded");

  const RunResult dry = daemon.ctl({"prune", "--state", "succeeded", "--dry-run"});
  CHECK(dry.exit_code == 0);
  CHECK(contains(dry.out, "echo hello"));
  CHECK(contains(dry.err, "would remove 1 task (1 succeeded)"));
  CHECK(daemon.state(good) == "succeeded");

  const RunResult done = daemon.ctl({"prune", "--state", "succeeded"});
  CHECK(done.exit_code == 0);
  CHECK(contains(done.err, "removed 1 task"));
  CHECK(contains(done.err, "of output freed"));
  CHECK(daemon.ctl({"show", good}).exit_code == 66);
  CHECK(daemon.state(bad) == "failed");

  CHECK(daemon.ctl_json({"prune", "--all"}).at("changed").size() == 1);
  CHECK(daemon.ctl({"show", bad}).exit_code == 66);
  CHECK(daemon.state(held) == "held");
}

TEST_CASE("prune wants to be told what may go") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--", "true"});
  daemon.wait(id);
  CHECK(daemon.ctl({"prune"}).exit_code == 64);
  CHECK(daemon.ctl({"prune", id}).exit_code == 64);
  CHECK(daemon.ctl({"prune", "--all", "--state", "failed"}).exit_code == 64);
  CHECK(daemon.state(id) == "succeeded");
}

TEST_CASE("a person at a terminal is asked before a filter's tasks go") {
  const TestDaemon daemon;
  for (int i = 0; i < 2; ++i) daemon.wait(daemon.submit({"--", "true"}));
  const auto prune = [&](const std::string& answer, const std::string& options) {
    Terminal terminal(24, 80);
    terminal.type(answer + "\n");
    RunOptions on_terminal;
    on_terminal.env["TASKD_SOCKET"] = daemon.socket();
    CHECK(run({"sh", "-c",
               taskctl_path() + " prune " + options + " < " + terminal.path() + " 2> " +
                   terminal.path()},
              on_terminal)
              .exit_code == 0);
    return terminal.shown();
  };
  const std::string refused = prune("n", "--all");
  CHECK(contains(refused, "Remove 2 tasks (2 succeeded)? [y/N]"));
  CHECK(contains(refused, "nothing was changed"));
  CHECK(daemon.state("1") == "succeeded");
  CHECK_FALSE(contains(prune("n", "--all --dry-run"), "[y/N]"));
  CHECK(daemon.state("1") == "succeeded");
  CHECK(contains(prune("y", "--all"), "removed 2 tasks"));
  CHECK(daemon.ctl({"show", "1"}).exit_code == 66);
  daemon.wait(daemon.submit({"--", "true"}));
  CHECK_FALSE(contains(prune("n", "--all --yes"), "[y/N]"));
  CHECK(daemon.ctl({"show", "3"}).exit_code == 66);
}
