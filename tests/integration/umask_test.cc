#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

constexpr const char* kTell = "umask > \"$OUT\"";

std::string umask_of(const TestDaemon& daemon, const std::string& id) {
  CHECK(daemon.wait(id).at("state") == "succeeded");
  return daemon.ctl({"logs", id}).out;
}

}  // namespace

TEST_CASE("a task keeps the umask that it was submitted with") {
  const TestDaemon daemon;
  CHECK(daemon.shell("umask 027; $T run --shell umask").out == "0027\n");
  CHECK(daemon.shell("umask 0; $T run --shell umask").out == "0000\n");
  CHECK(daemon.shell("umask 027; $T run --umask 0077 --shell umask").out == "0077\n");
  CHECK(daemon.show("1").at("umask") == "0027");
  CHECK(contains(daemon.ctl({"show", "1"}).out, "umask"));
  const RunResult wrong = daemon.ctl({"submit", "--umask", "999", "--", "true"});
  CHECK(wrong.exit_code == 64);
  CHECK(contains(wrong.err, "--umask"));
}

TEST_CASE("copies, retries, edits, batches, arrays, schedules and workflows keep it") {
  const TestDaemon daemon;
  REQUIRE(daemon.shell("umask 027; $T submit --hold --shell umask").out == "1\n");
  // --like takes it over, whatever the present one is; an edit changes it.
  CHECK(umask_of(daemon, daemon.submit({"--like", "1"})) == "0027\n");
  CHECK(daemon.ctl({"edit", "1", "--name", "n"}).exit_code == 0);
  CHECK(daemon.show("1").at("umask") == "0027");
  CHECK(daemon.ctl({"edit", "1", "--umask", "7"}).exit_code == 0);
  CHECK(daemon.ctl({"release", "1"}).exit_code == 0);
  CHECK(umask_of(daemon, "1") == "0007\n");
  CHECK(daemon.ctl({"edit", "1", "--umask", "7"}).exit_code != 0);

  write_text(daemon.dir() / "lines", "{\"umask\":\"0011\"}\n{}\n");
  const RunResult batch = daemon.shell("umask 026; $T submit --from " + (daemon.dir() / "lines") +
                                            " --quiet -- sh -c umask");
  CHECK(batch.out == "3\n4\n");
  CHECK(umask_of(daemon, "3") == "0011\n");
  CHECK(umask_of(daemon, "4") == "0026\n");

  CHECK(daemon.shell("umask 025; $T schedule add s --every 1h --shell umask").exit_code == 0);
  CHECK(daemon.ctl({"schedule", "trigger", "s"}).exit_code == 0);
  CHECK(umask_of(daemon, "5") == "0025\n");

  write_text(daemon.dir() / "flow.json",
             R"({"chain":[{"shell":"umask"},{"shell":"umask","umask":"0"}]})");
  CHECK(daemon.shell("umask 024; $T workflow submit " + (daemon.dir() / "flow.json")).exit_code ==
        0);
  CHECK(umask_of(daemon, "6") == "0024\n");
  CHECK(umask_of(daemon, "7") == "0000\n");

  CHECK(daemon.shell("umask 023; $T submit --array 1-2 --shell umask").out == "8\n");
  CHECK(umask_of(daemon, "9") == "0023\n");
}

TEST_CASE("a handler has the umask of its configuration, and no submit says another") {
  const TestDaemon daemon({.config = "[handlers.h]\nshell = \"umask\"\numask = "
                                     "\"0037\"\n[handlers.plain]\nshell = \"umask\"\n"});
  CHECK(daemon.shell("umask 0; $T run --handler h").out == "0037\n");
  CHECK(daemon.shell("umask 0; $T run --handler plain").out == "0022\n");
  const RunResult said = daemon.ctl({"submit", "--handler", "h", "--umask", "0"});
  CHECK(said.exit_code == 65);
  CHECK(contains(said.err, "--umask"));
  CHECK(daemon.show("1").at("umask").is_null());

  const TempDir dir;
  write_text(dir / "bad.toml", "[handlers.h]\nshell = \"true\"\numask = 37\n");
  const RunResult bad = run({taskd_path(), "--config", dir / "bad.toml", "--check-config"});
  CHECK(bad.exit_code == 78);
  CHECK(contains(bad.err, "bad.toml:3: handlers.h.umask"));
}
