// What binds a task's start to others, from the command line to the job.
#include <doctest/doctest.h>

#include "tests/support/daemon.h"

namespace taskd::test {
namespace {

// Waits until `file` is there.
std::string waits_for(const std::string& file) {
  return "until [ -e " + file + " ]; do sleep 0.01; done";
}

TEST_CASE("tasks of one key run one after the other, in their order") {
  const TestDaemon daemon({.workers = 4});
  const std::string log = daemon.dir() / "log-of-jobs";
  std::string last;
  for (int i = 0; i < 5; ++i) {
    last = daemon.submit({"--key", "customer-7", "--shell",
                          "echo start $TASKD_TASK_ID >> " + log +
                              "; sleep 0.02; echo end "
                              "$TASKD_TASK_ID >> " +
                              log});
  }
  CHECK(daemon.wait(last).at("state") == "succeeded");
  CHECK(read_text(log) ==
        "start 1\nend 1\nstart 2\nend 2\nstart 3\nend 3\nstart 4\nend 4\nstart 5\nend 5\n");
  CHECK(contains(daemon.ctl({"show", last}).out, "customer-7"));
}

TEST_CASE("a key's limit and its rate can be set, and wrong ones are refused") {
  const TestDaemon daemon({.workers = 4});
  const std::string gate = daemon.dir() / "gate";
  std::vector<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(daemon.submit({"--key", "k", "--key-limit", "2", "--shell", waits_for(gate)}));
  }
  while (daemon.state(ids[0]) != "running" || daemon.state(ids[1]) != "running") {
  }
  CHECK(daemon.state(ids[2]) == "blocked");
  write_text(gate, "");
  for (const std::string& id : ids) CHECK(daemon.wait(id).at("state") == "succeeded");
  CHECK(daemon.ctl({"submit", "--key", "", "--", "true"}).exit_code == 64);
  CHECK(daemon.ctl({"submit", "--key-limit", "2", "--", "true"}).exit_code == 64);
  CHECK(daemon.ctl({"submit", "--key", "k", "--key-rate", "x", "--", "true"}).exit_code == 64);
  const RunResult zero = daemon.ctl({"submit", "--key", "k", "--key-limit", "0", "--", "true"});
  CHECK(zero.exit_code == 65);
  CHECK(contains(zero.err, "limit"));
}

TEST_CASE("a job is told which units of a resource it has") {
  const TestDaemon daemon({.workers = 4, .config = "[resources]\ngpu = [3, 5]\nlicense = 2\n"});
  const std::string gate = daemon.dir() / "gate";
  const std::string first = daemon.submit(
      {"--resource", "gpu=1", "--shell", "echo $CUDA_VISIBLE_DEVICES; " + waits_for(gate)});
  const std::string second = daemon.submit(
      {"--resource", "gpu=1,license=2", "--slots", "2", "--shell",
       "echo $TASKD_RESOURCE_GPU $TASKD_RESOURCE_LICENSE $TASKD_SLOTS; " + waits_for(gate)});
  const std::string third =
      daemon.submit({"--resource", "gpu=2", "--shell", "echo $CUDA_VISIBLE_DEVICES"});
  while (daemon.state(first) != "running" || daemon.state(second) != "running") {
  }
  CHECK(daemon.state(third) == "queued");
  CHECK(contains(daemon.ctl({"show", second}).out, ", with gpu 5, running for "));
  CHECK(contains(
      daemon.ctl({"why", third}).out,
      "not enough of \"gpu\" is free: 3 and 5 are taken by #" + first + " and #" + second + ";"));
  CHECK(daemon.ctl_json({"why", third}).at("tasks").at(0).at("units") == nlohmann::json{"3", "5"});
  const nlohmann::json stats = daemon.ctl_json({"stats"});
  CHECK(stats.at("slots") == nlohmann::json{{"total", 4}, {"used", 3}});
  const nlohmann::json gpu = {{"name", "gpu"},
                              {"amount", 2},
                              {"used", 2},
                              {"units", {"3", "5"}},
                              {"used_units", {"3", "5"}}};
  const nlohmann::json license = {
      {"name", "license"}, {"amount", 2}, {"used", 2}, {"units", nullptr}, {"used_units", nullptr}};
  CHECK(stats.at("resources") == nlohmann::json{gpu, license});
  CHECK(contains(daemon.ctl({"stats"}).out, "gpu          2   2  3, 5"));
  write_text(gate, "");
  CHECK(daemon.wait(third).at("state") == "succeeded");
  const auto granted = [&](const std::string& id) {
    return daemon.show(id).at("attempts").at(0).at("granted");
  };
  CHECK(granted(first) == nlohmann::json{{"gpu", {"3"}}});
  CHECK(granted(second) == nlohmann::json{{"gpu", {"5"}}});  // a license has no units
  CHECK(granted(third) == nlohmann::json{{"gpu", {"3", "5"}}});
  CHECK(granted(daemon.submit({"--wait", "--", "true"})).empty());
  CHECK(contains(daemon.ctl({"show", third}).out, ", with gpu 3,5, "));
  daemon.wait(first);
  daemon.wait(second);
  CHECK(daemon.ctl({"logs", first}).out == "3\n");
  CHECK(daemon.ctl({"logs", second}).out == "5 2 2\n");
  CHECK(daemon.ctl({"logs", third}).out == "3,5\n");
}

TEST_CASE("what the machine never has is refused by name") {
  const TestDaemon daemon({.workers = 2, .config = "[resources]\ngpu = [0]\n"});
  const auto refusal = [&](std::vector<std::string> options) {
    options.insert(options.begin(), "submit");
    options.insert(options.end(), {"--", "true"});
    const RunResult result = daemon.ctl(options);
    CHECK(result.exit_code == 65);
    return result.err;
  };
  CHECK(
      contains(refusal({"--resource", "tape=1"}), "--resource tape: no such resource is declared"));
  CHECK(contains(refusal({"--resource", "gpu=2"}), "this daemon has only 1 of it"));
  CHECK(contains(refusal({"--slots", "3"}), "--slots: this daemon has only 2 workers"));
  CHECK(daemon.ctl({"submit", "--resource", "gpu", "--", "true"}).exit_code == 64);
  CHECK(daemon.ctl_json({"list"}).at("tasks").empty());
}

TEST_CASE("a chain of tasks runs in its order, falls with its first and goes on with a retry") {
  const TestDaemon daemon;
  const std::string ready = daemon.dir() / "ready";
  const std::string first = daemon.submit({"--shell", "[ -e " + ready + " ]"});
  const std::string second = daemon.submit({"--after", first, "--", "true"});
  const std::string cleanup = daemon.submit({"--after", first + ":failed", "--", "true"});
  CHECK(daemon.wait(second).at("reason") == "dependency");
  CHECK(daemon.wait(cleanup).at("state") == "succeeded");
  CHECK(daemon.ctl({"wait", second}).exit_code != 0);
  write_text(ready, "");
  CHECK(daemon.ctl({"retry", first}).exit_code == 0);
  CHECK(daemon.wait(second).at("state") == "succeeded");
  const RunResult unknown = daemon.ctl({"submit", "--after", "99", "--", "true"});
  CHECK(unknown.exit_code == 66);
  CHECK(contains(unknown.err, "there is no task 99"));
  CHECK(daemon.ctl({"submit", "--after", "1:sometimes", "--", "true"}).exit_code == 64);
}

TEST_CASE("--after takes ranges, lists and last") {
  const TestDaemon daemon;
  for (int i = 0; i < 4; ++i) daemon.submit({"--hold", "--", "true"});
  const std::string after =
      daemon.submit({"--after", "1-3:any,2:any", "--after", "last", "--", "true"});
  const nlohmann::json dependencies = daemon.show(after).at("depends_on");
  CHECK(dependencies == nlohmann::json::parse(R"([{"task":1,"on":"any"},{"task":2,"on":"any"},
                                                  {"task":3,"on":"any"},{"task":4,"on":"ok"}])"));
  const auto refusal = [&](const std::string& ids, int code = 64) {
    const RunResult result = daemon.ctl({"submit", "--after", ids, "--", "true"});
    CHECK(result.exit_code == code);
    return result.err;
  };
  CHECK(contains(refusal("3-1"), "--after: \"3-1\" is not an id"));
  CHECK(contains(refusal("-3"), "\"-3\" is not an id, a range such as 15-20"));
  CHECK(contains(refusal("1-"), "\"1-\" is not an id"));
  CHECK(contains(refusal("4-6", 66), "there is no task 6"));
  CHECK(contains(refusal("1,1:any", 65), "named twice"));
}

TEST_CASE("a unique task comes back by its id, and taskctl says so") {
  const TestDaemon daemon({.workers = 1});
  const std::string gate = daemon.dir() / "gate";
  const std::string id = daemon.submit({"--unique", "report", "--shell", waits_for(gate)});
  const RunResult again = daemon.ctl({"submit", "--unique", "report", "--", "true"});
  CHECK(again.exit_code == 0);
  CHECK(again.out == id + "\n");
  CHECK(contains(again.err, "nothing was submitted"));
  write_text(gate, "");
  daemon.wait(id);
  CHECK(daemon.submit({"--unique", "report", "--", "true"}) != id);
}

TEST_CASE("a task whose dependency fails is cancelled or runs all the same, as it says") {
  const TestDaemon daemon;
  const std::string gate = daemon.dir() / "gate";
  const std::string first = daemon.submit({"--shell", waits_for(gate) + "; exit 1"});
  const auto submit = [&](const char* what) {
    return daemon.submit({"--after", first, "--on-dependency-failed", what, "--", "true"});
  };
  const std::string cancelled = submit("cancel");
  const std::string ran = submit("run");
  const std::string failed = submit("fail");
  CHECK(daemon.state(ran) == "blocked");
  CHECK(contains(daemon.ctl({"show", cancelled}).out, first + "; else cancel"));
  CHECK(daemon.show(ran).at("on_dependency_failed") == "run");
  write_text(gate, "");
  CHECK(daemon.wait(cancelled).at("state") == "cancelled");
  CHECK(daemon.wait(ran).at("state") == "succeeded");
  CHECK(daemon.wait(failed).at("reason") == "dependency");
  CHECK(daemon.ctl({"why", cancelled}).out ==
        "it was cancelled: #" + first + " did not end as required\n");
  // Of a task that has failed by now they say the same.
  CHECK(daemon.wait(submit("cancel")).at("state") == "cancelled");
  CHECK(daemon.wait(submit("run")).at("state") == "succeeded");
  CHECK(
      daemon.ctl({"submit", "--after", first, "--on-dependency-failed", "sometimes", "--", "true"})
          .exit_code == 64);
}

TEST_CASE("--unique-while says which tasks stand in the way of another one") {
  const TestDaemon daemon({.workers = 1});
  const std::string gate = daemon.dir() / "gate";
  const auto submit = [&](std::vector<std::string> options) {
    std::vector<std::string> args = {"--unique", "report"};
    args.insert(args.end(), options.begin(), options.end());
    args.insert(args.end(), {"--shell", waits_for(gate)});
    return daemon.submit(args);
  };
  const std::string first = submit({"--unique-while", "queued"});
  while (daemon.state(first) != "running") {
  }
  CHECK(submit({"--unique-while", "active"}) == first);
  const std::string second = submit({"--unique-while", "queued"});
  CHECK(second != first);
  CHECK(submit({"--unique-while", "queued"}) == second);
  CHECK(contains(daemon.ctl({"show", second}).out, "report, while queued"));
  write_text(gate, "");
  CHECK(daemon.wait(second).at("state") == "succeeded");
  CHECK(submit({"--unique-for", "1h"}) == second);
  const std::string third = submit({"--unique-for", "1h", "--unique-while", "active"});
  CHECK(third != second);
  daemon.wait(third);
  CHECK(daemon.ctl({"submit", "--unique", "report", "--unique-while", "sometimes", "--", "true"})
            .exit_code == 64);
}

TEST_CASE("an array runs each index, at most so many at once, and its id is printed") {
  const TestDaemon daemon({.workers = 4});
  const RunResult submitted =
      daemon.ctl({"submit", "--array", "1-6:2%2", "--wait", "--shell", "echo $TASKD_ARRAY_INDEX"});
  CHECK(submitted.exit_code == 0);
  CHECK(submitted.out == "1\n");
  CHECK(daemon.ctl({"logs", "1"}).out == "1\n3\n5\n");
  CHECK(contains(daemon.ctl({"show", "2"}).out, "index 3 of array 1; its id is 2"));
  CHECK(daemon.ctl({"submit", "--array", "5-1", "--", "true"}).exit_code == 64);
  const RunResult huge = daemon.ctl({"submit", "--array", "1-1000001", "--", "true"});
  CHECK(huge.exit_code == 65);
  CHECK(contains(huge.err, "at most 1000000 tasks"));
}

TEST_CASE("why says what a task waits for, in words and in JSON") {
  const TestDaemon daemon({.workers = 1});
  const std::string gate = daemon.dir() / "gate";
  const std::string first = daemon.submit({"--key", "k", "--shell", waits_for(gate)});
  while (daemon.state(first) != "running") {
  }
  const std::string second = daemon.submit({"--key", "k", "--", "true"});
  const std::string third = daemon.submit({"--after", second, "--", "true"});
  const std::string fourth = daemon.submit({"--", "true"});
  CHECK(contains(daemon.ctl({"why", first}).out, "it is running"));
  CHECK(contains(daemon.ctl({"why", second}).out, "key \"k\" is in use by #" + first));
  CHECK(contains(daemon.ctl({"why", third}).out, "waits for #" + second + " to end"));
  CHECK(contains(daemon.ctl({"why", fourth}).out, "the workers are busy with #" + first));
  CHECK(daemon.ctl_json({"why", second}).at("tasks").at(0).at("why") == "key_busy");
  daemon.ctl({"queue", "pause", "default", "--reason", "lunch"});
  CHECK(contains(daemon.ctl({"why", fourth}).out, ": lunch"));
  daemon.ctl({"queue", "resume", "default"});
  CHECK(daemon.ctl({"why", "99"}).exit_code == 66);
  write_text(gate, "");
  daemon.wait(third);
  CHECK(contains(daemon.ctl({"why", third}).out, "it has succeeded"));
  const std::string failed = daemon.submit({"--", "false"});
  const std::string after = daemon.submit({"--after", failed, "--", "true"});
  daemon.wait(after);
  CHECK(daemon.ctl({"why", after}).out ==
        "it has failed (dependency): #" + failed + " did not end as required\n");
}

TEST_CASE("waiting for keys and others survives a killed daemon") {
  TestDaemon daemon({.workers = 2});
  const std::string gate = daemon.dir() / "gate";
  const std::string first = daemon.submit({"--key", "k", "--shell", waits_for(gate)});
  const std::string second = daemon.submit({"--key", "k", "--", "true"});
  const std::string third = daemon.submit({"--after", second, "--", "true"});
  while (daemon.state(first) != "running") {
  }
  daemon.restart_after_kill9();
  CHECK(daemon.state(second) == "blocked");
  write_text(gate, "");
  CHECK(daemon.wait(third).at("state") == "succeeded");
}

TEST_CASE("a daemon killed while it tells thousands of dependants of an end goes on, and tells all") {
  constexpr int kDependants = 4000;
  TestDaemon daemon({.workers = 1});
  const std::string gate = daemon.dir() / "gate";
  const std::string cause = daemon.submit({"--shell", waits_for(gate) + "; rm " + gate + "; false"});
  std::string lines;
  for (int i = 0; i < kDependants; ++i) {
    lines += R"({"argv":["true"],"on_dependency_failed":"cancel","depends_on":[)" + cause + "]}\n";
  }
  const std::string file = daemon.dir() / "dependants";
  write_text(file, lines);
  REQUIRE(daemon.ctl({"submit", "--from", file}).exit_code == 0);
  const auto count = [&](const std::string& state) {
    return daemon.ctl_json({"stats"}).at("counts").value(state, 0);
  };
  int killed_amid = 0;
  for (int round = 0; round < 2; ++round) {
    write_text(gate, "");
    int cancelled = 0;
    while (cancelled == 0) cancelled = count("cancelled");
    daemon.kill9();
    killed_amid += cancelled < kDependants ? 1 : 0;
    daemon.start();
    while (count("blocked") != 0) {
    }
    CHECK(count("cancelled") == kDependants);
    // The other way round: all of them wait again.
    REQUIRE(daemon.ctl({"retry", cause}).exit_code == 0);
    int blocked = 0;
    while (blocked == 0) blocked = count("blocked");
    daemon.kill9();
    killed_amid += blocked < kDependants ? 1 : 0;
    daemon.start();
    while (count("blocked") != kDependants) {
    }
    CHECK(count("cancelled") == 0);
  }
  CHECK(killed_amid > 0);
}

}  // namespace
}  // namespace taskd::test
