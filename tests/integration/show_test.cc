#include <doctest/doctest.h>

#include "tests/support/daemon.h"

using namespace taskd::test;

TEST_CASE("a range means the tasks of it that are there, and an id must be there") {
  const TestDaemon daemon;
  for (int i = 0; i < 4; ++i) daemon.wait(daemon.submit({"--", "echo", std::to_string(i)}));
  REQUIRE(daemon.ctl({"rm", "2"}).exit_code == 0);
  const std::string note = "taskctl: 1 of these ids has no task (any more)\n";
  for (const char* verb : {"show", "list", "why", "logs"}) {
    CAPTURE(verb);
    const RunResult result = daemon.ctl({verb, "1-3"});
    CHECK(result.exit_code == 0);
    CHECK(result.err == note);
    // By its own name it must be there, wherever else it is meant.
    CHECK(daemon.ctl({verb, "2"}).exit_code == 66);
    CHECK(daemon.ctl({verb, "1-3", "2"}).exit_code == 66);
    CHECK(daemon.ctl({verb, "2", "1-3"}).exit_code == 66);
    CHECK(daemon.ctl({verb, "7-9"}).exit_code == 66);
  }
  CHECK(daemon.ctl({"logs", "1-3"}).out == "0\n2\n");
  for (const char* verb : {"retry", "rm", "wait"}) {
    CAPTURE(verb);
    CHECK(daemon.ctl({verb, "1-3", "2"}).exit_code == 66);
    CHECK(daemon.state("3") == "succeeded");
  }
  for (const char* verb : {"wait", "rm"}) {
    CAPTURE(verb);
    CHECK(daemon.ctl({verb, "1-3"}).exit_code == 0);
  }
  CHECK(daemon.ctl({"show", "3"}).exit_code == 66);
}

TEST_CASE("show tells the state, the attempts, what they used and the last words on stderr") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--max-attempts", "2", "--retry-delay", "1ms", "--shell",
                                        "echo broken pipe to the moon >&2; exit 9"});
  daemon.wait(id);
  const RunResult text = daemon.ctl({"show", id});
  CHECK(text.out.find("failed") != std::string::npos);
  CHECK(text.out.find("broken pipe to the moon") != std::string::npos);
  const auto json = daemon.show(id);
  CHECK(json.at("exit_code") == 9);
  REQUIRE(json.at("attempts").size() == 2);
  for (const auto& attempt : json.at("attempts")) {
    CHECK(attempt.at("outcome") == "exited");
    CHECK(attempt.at("exit_code") == 9);
    CHECK(attempt.at("max_rss_bytes").get<long>() > 0);
    CHECK(attempt.at("stderr_tail") == "broken pipe to the moon\n");
  }
}

TEST_CASE("show last is the newest task, and an unknown id exits 66") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--", "true"});
  const std::string second = daemon.submit({"--hold", "--", "true"});
  CHECK(std::to_string(daemon.show("last").at("id").get<int>()) == second);
  for (const char* wrong : {"99", "9223372036854775807"}) {
    const RunResult result = daemon.ctl({"show", wrong});
    CHECK(result.exit_code == 66);
    CHECK(result.err.find(wrong) != std::string::npos);
  }
  for (const char* nonsense : {"0", "abc", "1e3", "9223372036854775808", "-1"}) {
    CHECK(daemon.ctl({"show", nonsense}).exit_code == 64);
  }
}

TEST_CASE("values of variables never come back") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--env", "PASSWORD=tiger-in-tank", "--", "true"});
  CHECK(daemon.ctl({"show", id}).out.find("tiger") == std::string::npos);
  CHECK(daemon.ctl({"show", id, "--json"}).out.find("tiger") == std::string::npos);
  CHECK(daemon.ctl({"list", "--json"}).out.find("tiger") == std::string::npos);
  CHECK(daemon.log().find("tiger") == std::string::npos);
}
