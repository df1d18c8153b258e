#include <doctest/doctest.h>

#include <fstream>

#include "tests/support/daemon.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::string submit(const TestDaemon& daemon, const std::string& file, const std::string& text) {
  write_text(daemon.dir() / file, text);
  const RunResult result = daemon.ctl({"workflow", "submit", daemon.dir() / file});
  REQUIRE_MESSAGE(result.exit_code == 0, result.err);
  return result.out.substr(0, result.out.size() - 1);
}

// Waits for all of it.
json wait_for(const TestDaemon& daemon, const std::string& id) {
  const json before = daemon.ctl_json({"workflow", "show", id});
  for (const json& task : before.at("tasks")) {
    daemon.wait(std::to_string(task.at("id").get<int>()));
  }
  return daemon.ctl_json({"workflow", "show", id});
}

TEST_CASE("workflow submit --wait exits with 1 unless all succeeded, and says what did not") {
  const TestDaemon daemon;
  write_text(daemon.dir() / "w.json", R"({"chain":[{"shell":"exit 3"},{"argv":["true"]}]})");
  const RunResult failed = daemon.ctl({"workflow", "submit", "--wait", daemon.dir() / "w.json"});
  CHECK(failed.exit_code == 1);
  CHECK(failed.out == "1\n");
  CHECK(failed.err == "taskctl: task 1 failed: exit 3\ntaskctl: task 2 failed: dependency\n");
  write_text(daemon.dir() / "w.json", R"({"chain":[{"argv":["true"]}]})");
  const json ended = daemon.ctl_json({"workflow", "submit", "--wait", daemon.dir() / "w.json"});
  CHECK(ended.at("state") == "succeeded");
}

TEST_CASE("a workflow of more than a thousand steps is shown whole, and cancelled whole") {
  const TestDaemon daemon;
  json document = {{"group", json::array()}};
  for (int i = 0; i < 1200; ++i) {
    document["group"].push_back(
        {{"argv", {"true"}}, {"hold", true}, {"cwd", "/"}, {"env", json::object()}});
  }
  document["then"] = {{"argv", {"true"}}, {"cwd", "/"}};
  const std::string id = submit(daemon, "w.json", document.dump());
  CHECK(daemon.ctl_json({"workflow", "show", id}).at("tasks").size() == 1201);
  const json cancelled = daemon.ctl_json({"workflow", "cancel", id});
  CHECK(cancelled.at("counts").at("cancelled") == 1201);
  CHECK(cancelled.at("tasks").size() == 1201);
}

TEST_CASE("a workflow of a TOML file runs in the order of its needs, in the folder it came from") {
  const TestDaemon daemon({.workers = 4});
  const std::string log = daemon.dir() / "order";
  const std::string id = submit(daemon, "release.toml", R"(name = "release"
[tasks.publish]
shell = "echo publish >> )" + log + R"("
needs = ["test", "docs"]
[tasks.test]
argv = ["sh", "-c", "echo test >> )" + log + R"("]
needs = ["build"]
[tasks.docs]
shell = "true"
[tasks.build]
shell = "echo build in $(pwd) >> )" + log + R"("
)");
  CHECK(wait_for(daemon, id).at("state") == "succeeded");
  CHECK(contains(read_text(log), "build in /"));
  CHECK(contains(read_text(log), "test\npublish\n"));
  const std::string shown = daemon.ctl({"workflow", "show", id}).out;
  CHECK(contains(shown, "workflow " + id + " release"));
  CHECK(contains(shown, "publish"));
  CHECK(contains(daemon.ctl({"workflow", "list"}).out, "4/4"));
}

TEST_CASE(
    "a failed step takes down what needs it, and a retry of the workflow goes on from there") {
  const TestDaemon daemon;
  const std::string ready = daemon.dir() / "ready";
  const std::string id = submit(daemon, "w.json",
                                R"({"tasks":{
    "a":{"shell":"true"}, "b":{"shell":"[ -e )" +
                                    ready + R"( ]","needs":["a"]},
    "c":{"shell":"true","needs":["b"]},
    "mourn":{"shell":"true","needs":[{"step":"b","on":"failed"}]}}})");
  const json failed = wait_for(daemon, id);
  CHECK(failed.at("state") == "failed");
  CHECK(failed.at("counts").at("failed") == 2);
  CHECK(contains(daemon.ctl({"workflow", "show", id}).out, "failed (dependency)"));
  write_text(ready, "");
  CHECK(daemon.ctl({"workflow", "retry", id}).exit_code == 0);
  CHECK(wait_for(daemon, id).at("state") == "succeeded");
}

TEST_CASE("a chain and a group with a last task are workflows too") {
  const TestDaemon daemon({.workers = 4});
  const std::string log = daemon.dir() / "order";
  const std::string chain = submit(daemon, "chain.json",
                                   R"({"chain":[
    {"shell":"echo 1 >> )" + log + R"("},{"shell":"echo 2 >> )" +
                                       log + R"("},{"shell":"echo 3 >> )" + log + R"("}]})");
  wait_for(daemon, chain);
  CHECK(read_text(log) == "1\n2\n3\n");
  const std::string group = submit(daemon, "group.json",
                                   R"({"group":[
    {"shell":"echo a > )" + log + R"(.a"},{"shell":"echo b > )" +
                                       log + R"(.b"}],
    "then":{"shell":"cat )" + log + ".a " +
                                       log + R"(.b"}})");
  const json tasks = wait_for(daemon, group).at("tasks");
  CHECK(tasks.back().at("workflow").at("step") == "then");
  CHECK(daemon.ctl({"logs", std::to_string(tasks.back().at("id").get<int>())}).out == "a\nb\n");
}

TEST_CASE("the last task of a group finds the results of all of them in a file") {
  const TestDaemon daemon;
  const std::string id = submit(daemon, "sum.json", R"({"group":[
    {"shell":"echo '{\"rows\": 3}' > $TASKD_RESULT_FILE"},
    {"shell":")" + taskctl_path() + R"( result '{\"rows\": 4}'"},
    {"shell":"true"}],
    "then":{"shell":"cat $TASKD_DEPENDENCIES_FILE"}})");
  const json tasks = wait_for(daemon, id).at("tasks");
  const std::string told = daemon.ctl({"logs", tasks.back().at("id").dump()}).out;
  const json dependencies = json::parse(told);
  REQUIRE(dependencies.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(dependencies[i].at("id") == tasks[i].at("id"));
    CHECK(dependencies[i].at("step") == tasks[i].at("workflow").at("step"));
    CHECK(dependencies[i].at("state") == "succeeded");
  }
  CHECK(dependencies[0].at("result") == json{{"rows", 3}});
  CHECK(dependencies[1].at("result") == json{{"rows", 4}});
  CHECK(dependencies[2].at("result").is_null());
}

TEST_CASE("a task outside of workflows is told of what it came after, but not of what is removed") {
  const TestDaemon daemon;
  const std::string gone = daemon.submit({"--", "true"});
  const std::string failed = daemon.submit({"--shell", "echo 7 > $TASKD_RESULT_FILE; exit 1"});
  daemon.wait(gone);
  daemon.wait(failed);
  const std::string task = daemon.submit({"--hold", "--after", gone + "," + failed + ":any",
                                          "--shell", "cat $TASKD_DEPENDENCIES_FILE"});
  CHECK(daemon.ctl({"rm", gone}).exit_code == 0);
  CHECK(daemon.ctl({"release", task}).exit_code == 0);
  daemon.wait(task);
  CHECK(daemon.ctl({"logs", task}).out ==
        R"([{"id":)" + failed + R"(,"state":"failed","result":7}])" + "\n");
}

TEST_CASE("a step for a failure that did not come is skipped, and the workflow has succeeded") {
  const TestDaemon daemon;
  write_text(daemon.dir() / "w.json", R"({"tasks":{
    "upload":{"argv":["true"]},
    "complain":{"argv":["false"],"needs":[{"step":"upload","on":"failed"}]},
    "call":{"argv":["false"],"needs":["complain"]},
    "report":{"argv":["true"],"needs":[{"step":"call","on":"any"}]}}})");
  const RunResult waited = daemon.ctl({"workflow", "submit", "--wait", daemon.dir() / "w.json"});
  CHECK(waited.exit_code == 0);
  CHECK(waited.err.empty());
  const json ended = daemon.ctl_json({"workflow", "show", "1"});
  CHECK(ended.at("state") == "succeeded");
  CHECK(ended.at("skipped").size() == 2);
  CHECK(daemon.ctl_json({"workflow", "list"}).at("workflows")[0].at("state") == "succeeded");
  const std::string tree = daemon.ctl({"workflow", "show", "1"}).out;
  CHECK(contains(tree, "complain  skipped"));
  CHECK(contains(tree, "call  skipped"));
  CHECK(daemon.ctl({"wait", "--workflow", "1"}).exit_code == 0);
  CHECK(contains(daemon.ctl({"workflow", "retry", "1"}).out, "complain  skipped"));
}

TEST_CASE("a workflow is cancelled as a whole") {
  const TestDaemon daemon({.workers = 1});
  const std::string id = submit(daemon, "w.json", R"({"chain":[
    {"argv":["sleep","1000"]},{"argv":["true"]}]})");
  CHECK(daemon.ctl({"workflow", "cancel", id}).exit_code == 0);
  CHECK(wait_for(daemon, id).at("state") == "cancelled");
}

TEST_CASE("a wrong workflow is refused as a whole, naming what is wrong") {
  const TestDaemon daemon;
  const auto refusal = [&](const std::string& text, int code = 65) {
    write_text(daemon.dir() / "bad.json", text);
    const RunResult result = daemon.ctl({"workflow", "submit", daemon.dir() / "bad.json"});
    CHECK(result.exit_code == code);
    return result.err;
  };
  CHECK(contains(
      refusal(R"({"tasks":{"a":{"argv":["x"],"needs":["b"]},"b":{"argv":["x"],"needs":["a"]}}})"),
      "in a circle: a needs b needs a"));
  CHECK(contains(refusal(R"({"tasks":{"a":{"argv":["x"],"needs":["c"]}}})"),
                 "there is no step \"c\""));
  CHECK(contains(refusal(R"({"tasks":{"a":{"argv":[]}}})"), "bad.json: tasks.a.argv: "));
  CHECK(contains(refusal(R"({"tasks":{}})"), "must have 1 to 10000 tasks"));
  CHECK(contains(refusal(R"({"tasks":{"a":{"argv":["x"]}},"chain":[]})"), "exactly one of"));
  CHECK(contains(refusal(R"({"tasks":{"a":{"argv":["x"],"array":{"first":1,"last":2}}}})"),
                 "cannot be part of a workflow"));
  CHECK(contains(refusal("{\"tasks\":\n{"), "bad.json:2:2: "));
  CHECK(contains(refusal(R"({"group":[{"argv":["x"],"queue":"nowhere"}]})", 66), "nowhere"));
  CHECK(daemon.ctl({"workflow", "submit", daemon.dir() / "missing"}).exit_code == 65);
  CHECK(daemon.ctl({"workflow", "show", "1"}).exit_code == 66);
  CHECK(daemon.ctl({"workflow", "show", "x"}).exit_code == 64);
  CHECK(daemon.ctl_json({"list"}).at("tasks").empty());
}

TEST_CASE("what is wrong in a TOML workflow is named with its line") {
  const TestDaemon daemon;
  const auto refusal = [&](const std::string& text, int code = 65) {
    write_text(daemon.dir() / "bad.toml", text);
    const RunResult result = daemon.ctl({"workflow", "submit", daemon.dir() / "bad.toml"});
    CHECK(result.exit_code == code);
    return result.err;
  };
  CHECK(contains(refusal("[tasks.a]\nshell = = 3\n"), "bad.toml:2:9: "));
  const std::string several = refusal(
      "[tasks.a]\nshell = \"x\"\n\ntimeuot = 5\n[tasks.\"b c\"]\nshell = \"x\"\nslots = 0\n");
  CHECK(contains(several, "bad.toml:4: tasks.a.timeuot: unknown field"));
  CHECK(contains(several, "bad.toml:7: tasks.b c.slots: must be from 1"));
  CHECK(contains(refusal("[tasks.a]\nshell = \"x\"\n[tasks.b]\nname = \"no command\"\n"),
                 "bad.toml:3: tasks.b: "));
  CHECK(contains(refusal("[tasks.a]\nshell = \"x\"\nneeds = [\n  \"b\",\n]\n"),
                 "bad.toml:4: tasks.a.needs.0: there is no step \"b\""));
  CHECK(contains(
      refusal("[[chain]]\nshell = \"x\"\n[[chain]]\nshell = \"x\"\nqueue = \"none\"\n", 66),
      "bad.toml:5: chain.1.queue: there is no queue \"none\""));
  CHECK(contains(refusal("[tasks.a]\nhandler = \"none\"\n", 66), "there is no handler \"none\""));
  CHECK(daemon.ctl_json({"list"}).at("tasks").empty());
}

TEST_CASE("the same idempotency key gives the same workflow") {
  const TestDaemon daemon;
  write_text(daemon.dir() / "w.json", R"({"chain":[{"argv":["true"]},{"argv":["true"]}]})");
  const std::vector<std::string> args = {"workflow", "submit", "--idempotency-key", "k",
                                         daemon.dir() / "w.json"};
  CHECK(daemon.ctl(args).out == "1\n");
  CHECK(daemon.ctl(args).out == "1\n");
  CHECK(daemon.ctl_json({"list"}).at("tasks").size() == 2);
  // Also when its first task is there no more.
  daemon.wait("1");
  CHECK(daemon.ctl({"rm", "1"}).exit_code == 0);
  CHECK(daemon.ctl(args).out == "1\n");
}

TEST_CASE("workflow list goes on over pages up to its limit and says when there are more") {
  const TestDaemon daemon;
  write_text(daemon.dir() / "w.json", R"({"chain":[{"argv":["true"],"hold":true}]})");
  for (int i = 0; i < 3; ++i) daemon.ctl({"workflow", "submit", daemon.dir() / "w.json"});
  const auto ids = [](const nlohmann::json& list) {
    std::vector<int> found;
    for (const nlohmann::json& item : list.at("workflows"))
      found.push_back(item.at("id").get<int>());
    return found;
  };
  CHECK(ids(daemon.ctl_json({"workflow", "list"})) == std::vector{3, 2, 1});
  CHECK(ids(daemon.ctl_json({"workflow", "list", "--all"})) == std::vector{3, 2, 1});
  const nlohmann::json two = daemon.ctl_json({"workflow", "list", "-n", "2"});
  CHECK(ids(two) == std::vector{3, 2});
  CHECK(two.at("next_cursor").is_string());
  CHECK(contains(daemon.ctl({"workflow", "list", "-n", "2"}).err,
                 "showing 2; --limit N shows more, --all shows all"));
  CHECK(daemon.ctl({"workflow", "list", "-n", "3"}).err.empty());
  CHECK(daemon.ctl({"workflow", "list", "-n", "0"}).exit_code == 64);
  CHECK(daemon.ctl({"workflow", "list", "-n", "2", "--all"}).exit_code == 64);
}

TEST_CASE("a workflow of many steps sends the environment once") {
  const TestDaemon daemon;
  nlohmann::json steps = nlohmann::json::array();
  for (int i = 0; i < 100; ++i) steps.push_back({{"argv", {"true"}}});
  nlohmann::json document = {{"group", steps}, {"defaults", {{"hold", true}, {"priority", 7}}}};
  const std::string file = daemon.dir() / "w.json";
  std::ofstream(file) << document.dump();
  // With each step it would be 8 MB, twice what a request may have.
  RunOptions large;
  for (int i = 0; i < 8; ++i) large.env["LARGE_" + std::to_string(i)] = std::string(10'000, 'x');
  const RunResult submitted = daemon.ctl({"workflow", "submit", "--env-all", file}, large);
  CHECK_MESSAGE(submitted.exit_code == 0, submitted.err);
  const nlohmann::json task = daemon.show("100");
  CHECK(task.at("state") == "held");
  CHECK(task.at("priority") == 7);
  CHECK(task.at("env").dump().find("LARGE_7") != std::string::npos);
  document["defaults"]["hold"] = 3;
  std::ofstream(file) << document.dump();
  const RunResult refused = daemon.ctl({"workflow", "submit", file});
  CHECK(refused.exit_code == 65);
  CHECK(contains(refused.err, "defaults.hold"));
}

}  // namespace
}  // namespace taskd::test
