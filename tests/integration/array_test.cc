// What names an array means all of it, and 12[3] one of its tasks.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>

#include "tests/support/daemon.h"

using namespace taskd::test;

namespace {

bool says(const RunResult& result, const std::string& what, int exit_code = 0) {
  CHECK_MESSAGE(result.exit_code == exit_code, result.err);
  CHECK_MESSAGE(contains(result.err, what), result.err);
  return true;
}

}  // namespace

TEST_CASE("the id of an array means all of it to every verb, and an index one of its tasks") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--", "true"});
  const std::string id =
      daemon.submit({"--hold", "--array", "10-16:2", "--shell", "echo $TASKD_ARRAY_INDEX"});
  CHECK(id == "2");
  CHECK(listed_ids(daemon.ctl_json({"list", id})) == std::vector{2, 3, 4, 5});
  CHECK(listed_ids(daemon.ctl_json({"show", "2[14]"})) == std::vector{4});
  CHECK(listed_ids(daemon.ctl_json({"show", "2[11-15]", "1"})) == std::vector{3, 4, 1});
  CHECK(listed_ids(daemon.ctl_json({"show", "last"})) == std::vector{2, 3, 4, 5});
  CHECK(daemon.ctl_json({"why", id}).at("tasks").size() == 4);
  CHECK(contains(daemon.ctl({"list", id}).out, "2[16]"));
  says(daemon.ctl({"show", "2[11]"}), "there is no index 11 in array 2", 66);
  says(daemon.ctl({"show", "2[18]"}), "there is no index 18 in array 2", 66);
  says(daemon.ctl({"show", "1[1]"}), "there is no array 1", 66);

  says(daemon.ctl({"cancel", "2[12]"}), "cancelled 1 task");
  CHECK(daemon.state("3") == "cancelled");
  CHECK(daemon.state("2") == "held");
  says(daemon.ctl({"release", "last"}), "released 3 tasks; left alone: 1 cancelled");
  says(daemon.ctl({"wait", id}), "task 2[12] cancelled", 1);
  CHECK(daemon.ctl({"logs", id}).out == "10\n14\n16\n");
  CHECK(daemon.ctl({"logs", "2[14]"}).out == "14\n");
  CHECK(daemon.ctl({"wait", "2[14]"}).exit_code == 0);
  says(daemon.ctl({"retry", "2[14-16]"}), "retried 2 tasks");
  CHECK(daemon.ctl({"wait", id, "1", "--timeout", "0s"}).exit_code == 75);
  says(daemon.ctl({"result", id}), "is an array", 64);
  says(daemon.ctl({"submit", "--like", id}), "is an array", 64);
  says(daemon.ctl({"retry", "--edit", id, "--name", "x"}), "is an array", 64);
  says(daemon.ctl({"wait", id}), "", 1);
  says(daemon.ctl({"rm", id}), "removed 4 tasks");
  says(daemon.ctl({"show", id}), "there is no task 2", 66);
  CHECK(daemon.state("1") == "held");
}

TEST_CASE(
    "a range takes what the verb applies to and says what it left alone, and ids are strict") {
  const TestDaemon daemon;
  daemon.wait(daemon.submit({"--", "true"}));
  for (int i = 0; i < 3; ++i) daemon.submit({"--hold", "--", "true"});
  says(daemon.ctl({"cancel", "1-3", "--dry-run"}), "would cancel 2 tasks (2 held)");
  CHECK(daemon.ctl_json({"cancel", "1-3", "--dry-run"}).at("unchanged").at(0).at("count") == 1);
  says(daemon.ctl({"cancel", "1", "2-3"}), "it has succeeded", 73);
  CHECK(daemon.state("2") == "held");
  says(daemon.ctl({"cancel", "1-3"}), "cancelled 2 tasks; left alone: 1 succeeded");
  says(daemon.ctl({"cancel", "1-3"}), "nothing was changed; left alone: 1 succeeded, 2 cancelled");
  says(daemon.ctl({"rm", "1-3", "4"}), "cannot remove task 4", 73);
  says(daemon.ctl({"rm", "1-9"}), "removed 3 tasks; left alone: 1 held");
  says(daemon.ctl({"cancel", "7-9"}), "there is no task from 7 to 9", 66);
  says(daemon.ctl({"hold", "4", "5-9"}), "there is no task from 5 to 9", 66);
  says(daemon.ctl({"release", "4", "1-4"}), "released 1 task");
}

TEST_CASE("wait counts every task that has ended, though the first ones have not") {
  const TestDaemon daemon;
  const std::string id = daemon.submit({"--hold", "--array", "1-100", "--", "true"});
  daemon.ctl({"release", "1[21-100]"});
  CHECK(daemon.ctl({"wait", "1[21-100]"}).exit_code == 0);
  says(daemon.ctl({"wait", id, "--timeout", "50ms"}), "timed out; 80 of 100 have ended", 75);
  says(daemon.ctl({"wait", "1-100", "--timeout", "50ms"}), "80 of 100 have ended", 75);
  says(daemon.ctl({"wait", "--array", id, "--timeout", "0s"}), "80 of 100 have ended", 75);
  const std::string other = daemon.submit({"--hold", "--name", "n", "--", "true"});
  says(daemon.ctl({"wait", "--name", "n", "--timeout", "50ms"}), "0 of 1 have ended", 75);
  says(daemon.ctl({"wait", "1[99-100]", other, "--timeout", "50ms"}), "2 of 3 have ended", 75);
}

TEST_CASE("wait for an array that goes on and is pruned as it goes says how all of it ended") {
  const TestDaemon daemon;
  const std::string id =
      daemon.submit({"--hold", "--array", "0-9", "--shell", "exit $((TASKD_ARRAY_INDEX == 9))"});
  daemon.ctl({"release", "1[0-8]"});
  CHECK(daemon.ctl({"wait", "1[0-8]"}).exit_code == 0);
  says(daemon.ctl({"rm", "1[0-8]"}), "removed 9 tasks");
  daemon.ctl({"release", "1[9]"});
  says(daemon.ctl({"wait", id}), "task 1[9] failed", 1);
  CHECK(daemon.ctl({"wait", "1[9]"}).exit_code == 1);
}

TEST_CASE("last is what a person submitted, not what a schedule did") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--name", "mine", "--", "true"});
  REQUIRE(daemon.ctl({"schedule", "add", "s", "--every", "1h", "--", "true"}).exit_code == 0);
  REQUIRE(daemon.ctl({"schedule", "trigger", "s"}).exit_code == 0);
  REQUIRE(listed_ids(daemon.ctl_json({"list"})).size() == 2);
  CHECK(listed_ids(daemon.ctl_json({"show", "last"})) == std::vector{1});
  says(daemon.ctl({"cancel", "last"}), "cancelled 1 task");
  CHECK(daemon.state("1") == "cancelled");
}

TEST_CASE("a filter given twice is refused, and nothing happens") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--name", "b", "--", "true"});
  for (const char* option : {"--name", "--queue", "--user", "--key", "--array", "--workflow",
                             "--since", "--until", "--ended-since", "--ended-before"}) {
    CAPTURE(option);
    says(daemon.ctl({"cancel", option, "a", option, "b"}), std::string(option) + " is given twice",
         64);
    says(daemon.ctl({"rm", option, "a", option, "b"}), "is given twice", 64);
  }
  CHECK(daemon.state("1") == "held");
}

TEST_CASE("a large array is whole when its submit returns, and after a crash on the way") {
  TestDaemon daemon;
  const std::vector<std::string> submit = {
      "submit", "--hold", "--array", "1-40000", "--idempotency-key", "k", "--", "true"};
  std::vector<std::string> argv = {taskctl_path()};
  argv.insert(argv.end(), submit.begin(), submit.end());
  Child submitter(argv, {.env = {{"TASKD_SOCKET", daemon.socket()}}});
  while (daemon.ctl({"list", "-n", "1"}).out.empty()) {
  }
  daemon.restart_after_kill9();
  submitter.wait();
  const RunResult again = daemon.ctl(submit);
  CHECK(again.out == "1\n");
  const auto counts = daemon.ctl_json({"queue", "show", "default"}).at("counts");
  CHECK(counts.at("held") == 40'000);
  CHECK(daemon.ctl_json({"show", "1[40000]"}).at("tasks").at(0).at("id") == 40'000);
  says(daemon.ctl({"cancel", "1"}), "cancelled 40,000 tasks");
}

TEST_CASE("an array may come after an array and after its first task") {
  TestDaemon daemon;
  const std::string first = daemon.submit({"--array", "1-2", "--", "true"});
  const RunResult submitted =
      daemon.ctl({"submit", "--array", "1-1000", "--after", first, "--after", first + "[1]",
                  "--shell", "[ $TASKD_ARRAY_INDEX -lt 999 ]"});
  CHECK_MESSAGE(submitted.exit_code == 0, submitted.err);
  const std::string id = submitted.out.substr(0, submitted.out.size() - 1);
  says(daemon.ctl({"wait", id}), "", 1);
  const auto counts = daemon.ctl_json({"queue", "show", "default"}).at("counts");
  CHECK(counts.at("succeeded") == 2 + 998);
  CHECK(counts.at("failed") == 2);
  says(daemon.ctl({"edit", daemon.submit({"--hold", "--after", first, "--after", first + "[1]", "--",
                                          "true"}),
                   "--name", "other"}),
       "");
  CHECK(daemon.stop().exit_code == 0);
}

TEST_CASE("list --json says on stderr that there is more") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--array", "1-60", "--", "true"});
  const RunResult some = daemon.ctl({"list", "--json"});
  CHECK(nlohmann::json::parse(some.out).at("tasks").size() == 50);
  CHECK(contains(some.err, "--all shows all"));
  const RunResult all = daemon.ctl({"list", "--json", "--all"});
  CHECK(nlohmann::json::parse(all.out).at("tasks").size() == 60);
  CHECK(all.err.empty());
}

TEST_CASE("every verb's JSON of tasks has one shape, be it one task or several") {
  const TestDaemon daemon;
  const auto check = [&](std::vector<std::string> args, std::size_t size) {
    const std::string verb = args.front();
    CAPTURE(verb);
    args.insert(args.begin() + 1, "--json");
    // Its exit code is the tasks' own where they did not succeed.
    const nlohmann::json json = nlohmann::json::parse(daemon.ctl(args).out);
    CHECK(json.at("version") == 1);
    CHECK(json.at("tasks").size() == size);
    CHECK(json.at("tasks").at(0).contains("id"));
  };
  check({"submit", "--hold", "--", "true"}, 1);
  check({"submit", "--hold", "--array", "1-3", "--", "true"}, 1);
  for (const char* verb : {"show", "list", "why"}) {
    check({verb, "1"}, 1);
    check({verb, "1", "2"}, 4);
  }
  check({"edit", "1", "--name", "x"}, 1);
  check({"edit", "1,2", "--name", "y"}, 4);
  daemon.ctl({"cancel", "1-9"});
  check({"wait", "1"}, 1);
  check({"wait", "1-9"}, 4);
  check({"retry", "--edit", "1", "--name", "z"}, 1);
}

TEST_CASE("what is named and not there has one exit code, wherever the name stands") {
  const TestDaemon daemon;
  daemon.submit({"--hold", "--", "true"});
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"list", "--queue", "mial"},
           {"cancel", "--queue", "mial"},
           {"submit", "--queue", "mial", "--", "true"},
           {"move", "mial", "1"},
           {"edit", "1", "--queue", "mial"},
           {"queue", "show", "mial"},
           {"queue", "pause", "mial"},
           {"schedule", "add", "s", "--every", "1h", "--queue", "mial", "--", "true"}}) {
    CAPTURE(args.front());
    says(daemon.ctl(args), "mial", 66);
  }
}
