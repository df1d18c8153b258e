// What is refused, and what is only said, instead of being taken in silence.
#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE(
    "a start that lies in the past is refused, and said where the command may be a repetition") {
  const TestDaemon daemon;
  for (const char* verb : {"submit", "run"}) {
    for (const char* when : {"2025-01-01 00:00", "2025-01-01T00:00:00Z", "1999-12-31T23:59:59Z"}) {
      const RunResult past = daemon.ctl({verb, "--at", when, "--", "true"});
      CHECK(past.exit_code == 64);
      CHECK_MESSAGE(contains(past.err, "--at"), past.err);
      CHECK_MESSAGE(contains(past.err, "in the past"), past.err);
    }
  }
  CHECK(daemon.ctl({"list", "--json"}).out.find("\"tasks\":[]") != std::string::npos);
  const std::string held = daemon.submit({"--hold", "--", "true"});
  CHECK(daemon.ctl({"edit", held, "--at", "2025-01-01 00:00"}).exit_code == 64);

  const RunResult keyed =
      daemon.ctl({"submit", "--at", "2025-01-01 00:00", "--idempotency-key", "k", "--", "true"});
  CHECK(keyed.exit_code == 0);
  CHECK(contains(keyed.err, "in the past"));
  write_text(daemon.dir() / "lines", "a\nb\n");
  const RunResult many = daemon.ctl(
      {"submit", "--at", "2025-01-01 00:00", "--each-line", daemon.dir() / "lines", "--", "echo"});
  CHECK(many.exit_code == 0);
  CHECK(contains(many.err, "in the past"));
  // "date" has cut its seconds off: that is now.
  const std::string now = run({"date", "+%Y-%m-%d %H:%M"}).out.substr(0, 16);
  CHECK(daemon.ctl({"submit", "--at", now, "--", "true"}).exit_code == 0);
}

TEST_CASE("a name of a variable holds no blanks") {
  const TestDaemon daemon;
  for (const char* variable : {"A B=3", " A=3", "A\t=3", "A\n", "=3"}) {
    const RunResult result = daemon.ctl({"submit", "--env", variable, "--", "true"});
    CHECK(result.exit_code == 64);
    CHECK_MESSAGE(contains(result.err, "--env"), result.err);
  }
  CHECK(daemon.ctl({"run", "--env", "A=b c\n", "--shell", "printf %s \"$A\""}).out == "b c\n");
}

TEST_CASE("a task that can no longer run since another has failed is said to be over") {
  const TestDaemon daemon;
  const std::string failed = daemon.submit({"--", "false"});
  const std::string good = daemon.submit({"--", "true"});
  daemon.wait(failed);
  daemon.wait(good);
  const RunResult late = daemon.ctl({"submit", "--after", failed, "--", "true"});
  CHECK(late.out == "3\n");
  CHECK(contains(late.err, "task 3 has failed at once"));
  const RunResult skipped = daemon.ctl({"submit", "--after", good + ":failed", "--", "true"});
  CHECK(contains(skipped.err, "task 4 has been cancelled at once"));
  CHECK(daemon.ctl({"submit", "--after", good, "--", "true"}).err.empty());
}

TEST_CASE("a folder or file that is not there is said, since it may still come") {
  const TestDaemon daemon;
  const RunResult folder =
      daemon.ctl({"submit", "--hold", "--cwd", "/nosuch/folder", "--", "true"});
  CHECK(folder.exit_code == 0);
  CHECK(contains(folder.err, "folder /nosuch/folder does not exist"));
  const RunResult file = daemon.ctl({"submit", "--hold", "--stdin", "/nosuch/file", "--", "true"});
  CHECK(contains(file.err, "file /nosuch/file does not exist"));
  CHECK(
      contains(daemon.ctl({"edit", "1", "--cwd", "/nosuch"}).err, "folder /nosuch does not exist"));
  CHECK(daemon.ctl({"submit", "--cwd", "/", "--stdin", "/dev/null", "--", "true"}).err.empty());
}

TEST_CASE("a cron line may come from a crontab, with tabs, blanks and a CR") {
  const TestDaemon daemon;
  for (const char* line : {"0\t3\t*\t*\t1-5", "  0 3  * * 1-5\r", "0 3 * *\t 1-5\n"}) {
    CHECK(
        daemon.ctl({"schedule", "add", "s", "--replace", "--cron", line, "--", "true"}).exit_code ==
        0);
    CHECK(daemon.ctl_json({"schedule", "show", "s"}).at("cron") == "0 3 * * 1-5");
  }
  for (const char* line : {"@daily ", "\t@daily\r"})
    CHECK(
        daemon.ctl({"schedule", "add", "s", "--replace", "--cron", line, "--", "true"}).exit_code ==
        0);
  CHECK(daemon.ctl_json({"schedule", "show", "s"}).at("cron") == "@daily");
}

TEST_CASE("a step that is larger than its range is refused, and names the interval") {
  const TestDaemon daemon;
  for (const char* line : {"*/90 * * * *", "0 */25 * * *", "0-10/20 * * * *", "0 0 * */13 *"}) {
    const RunResult result = daemon.ctl({"schedule", "add", "s", "--cron", line, "--", "true"});
    CHECK(result.exit_code == 65);
    CHECK_MESSAGE(contains(result.err, "--cron"), result.err);
    CHECK_MESSAGE(contains(result.err, "the step"), result.err);
  }
  for (const char* line : {"*/60 * * * *", "0 */24 * * *", "*/59 * * * *"})
    CHECK(
        daemon.ctl({"schedule", "add", "s", "--replace", "--cron", line, "--", "true"}).exit_code ==
        0);
}

TEST_CASE("an advice fits the verb and comes once") {
  const TestDaemon daemon;
  std::string names;
  for (int id = 1; id <= 10'001; ++id) names += (id == 1 ? "" : ",") + std::to_string(id);
  const RunResult many = daemon.ctl({"edit", names, "--priority", "1"});
  CHECK(many.exit_code == 64);
  CHECK(contains(many.err, "more than 10000 names"));
  CHECK_FALSE(contains(many.err, "filter"));
  CHECK(contains(daemon.ctl({"cancel", names}).err, "filter"));
  const RunResult time = daemon.ctl({"submit", "--at", "tomorrow", "--", "true"});
  CHECK(contains(time.err, "--at: cannot read \"tomorrow\" as a time"));
}

TEST_CASE("json never steers a terminal, and stays the same json") {
  const TestDaemon daemon({.config = "[handlers.h]\nshell = \"cat >$TASKD_RESULT_FILE\"\n"});
  const std::string nasty =
      "a\xc2\x9b"
      "31m\xe2\x80\xae\x7f\xf3\xa0\x80\x81z";
  const std::string id =
      daemon.submit({"--handler", "h", "--payload", nlohmann::json(nasty).dump()});
  daemon.wait(id);
  const RunResult result = daemon.ctl({"result", id});
  CHECK(result.out == "\"a\\u009b31m\\u202e\\u007f\\udb40\\udc01z\"\n");
  const RunResult shown = daemon.ctl({"show", id, "--json"});
  for (const char* raw : {"\xc2\x9b", "\xe2\x80\xae", "\x7f", "\xf3\xa0"})
    CHECK_FALSE(contains(shown.out, raw));
  CHECK(nlohmann::json::parse(shown.out).at("tasks").at(0).at("payload") == nasty);
}
