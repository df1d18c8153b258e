#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::string report(const Claim& claim, const std::string& what, json body) {
  body["attempt"] = claim.attempt;
  body["token"] = claim.secret;
  return post(task(claim.task, what), body.dump());
}

TEST_CASE("progress is taken from who has the token, and told in the task") {
  ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  CHECK(api.ask(get(task(id, ""))).json().at("progress") == nullptr);
  CHECK(api.ask(report(claim, "/progress", {{"percent", 45}, {"message", "half"}})).status == 202);
  api.write_progress();
  const json progress = api.ask(get(task(id, ""))).json().at("progress");
  CHECK(progress.at("percent") == 45);
  CHECK(progress.at("message") == "half");
}

TEST_CASE("what the database holds of an attempt is no proof, only what its job was given") {
  ApiFixture api;
  const TaskId id = api.submit();
  Claim claim = api.claim();
  CHECK(claim.secret.size() == 32);
  CHECK(claim.secret != claim.token);
  claim.secret = claim.token;
  CHECK(api.ask(report(claim, "/progress", {{"percent", 1}})).code() == "stale_attempt");
  CHECK(api.ask(report(claim, "/result", {{"result", 1}})).code() == "stale_attempt");
  CHECK(api.ask(get(task(id, "/result"))).code() == "no_result");
}

TEST_CASE("a stale token answers 409 and changes nothing, of tasks there are or not") {
  ApiFixture api;
  const TaskId id = api.submit();
  Claim claim = api.claim();
  const Claim good = claim;
  claim.secret = "guess";
  CHECK(api.ask(report(claim, "/progress", {{"percent", 1}})).code() == "stale_attempt");
  CHECK(api.ask(report(claim, "/result", {{"result", 1}})).code() == "stale_attempt");
  claim.task = 99;
  CHECK(api.ask(report(claim, "/result", {{"result", 1}})).status == 409);
  api.finish(good);
  CHECK(api.ask(report(good, "/progress", {{"percent", 1}})).code() == "stale_attempt");
  CHECK(api.ask(report(good, "/result", {{"result", 1}})).code() == "stale_attempt");
  CHECK(api.ask(get(task(id, "/result"))).code() == "no_result");
}

TEST_CASE("a report that is wrong is refused by field") {
  ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  const auto pointer = [&](const std::string& what, const json& body) {
    const Response response = api.ask(report(claim, what, body));
    CHECK(response.status == 422);
    return response.json().at("errors").at(0).at("pointer").get<std::string>();
  };
  CHECK(pointer("/progress", {{"percent", 101}}) == "#/percent");
  CHECK(pointer("/progress", {{"percent", -1}}) == "#/percent");
  CHECK(pointer("/progress", {{"percent", 4.5}}) == "#/percent");
  CHECK(pointer("/progress", {{"message", std::string(201, 'x')}}) == "#/message");
  CHECK(pointer("/progress", {{"message", "a\nb"}}) == "#/message");
  CHECK(pointer("/progress", {{"procent", 1}}) == "#/procent");
  CHECK(pointer("/result", json::object()) == "#/result");
  CHECK(pointer("/result", {{"result", std::string(kMaxResultBytes, 'x')}}) == "#/result");
  const Response bare = api.ask(post(task(id, "/progress"), "{}"));
  CHECK(bare.json().at("errors").size() == 2);
}

TEST_CASE("a result is any JSON and reads back with its attempt") {
  ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  CHECK(api.ask(get(task(id, "/result"))).status == 404);
  CHECK(api.ask(get(task(99, "/result"))).code() == "no_such_task");
  CHECK(api.ask(report(claim, "/result", {{"result", {{"rows", 17}}}})).status == 200);
  const json answer = api.ask(get(task(id, "/result"))).json();
  CHECK(answer.at("result").at("rows") == 17);
  CHECK(answer.at("attempt") == 1);
  CHECK(api.ask(report(claim, "/result", {{"result", nullptr}})).status == 200);
  CHECK(api.ask(get(task(id, "/result"))).json().at("result") == nullptr);
}

// Remembers what it is sent.
struct Listener final : LiveAttempt {
  int pidfd() const override { return -1; }
  void stop() override {}
  void stop_stalled() override {}
  void wake() override {}
  bool signal(int number) override {
    if (number != 0 && there) heard.push_back(number);
    return there;
  }
  bool there = true;
  AttemptEnd reap() override { return {}; }
  std::vector<int> heard;
};

TEST_CASE("a signal goes to what runs, by name or number") {
  ApiFixture api;
  const TaskId id = api.submit();
  const TaskId other = api.submit();
  api.claim();
  Listener live;
  api.running().attach(id, live, false);
  CHECK(api.ask(post(task(id, "/signal"), R"({"signal":"USR1"})")).status == 200);
  CHECK(api.ask(post(task(id, "/signal"), R"({"signal":15})")).json().at("state") == "running");
  const json changed =
      api.ask(post("/v1/tasks:signal", R"({"signal":"SIGHUP","filter":{}})")).json().at("changed");
  CHECK(changed.size() == 1);
  CHECK(live.heard == std::vector<int>{10, 15, 1});
  CHECK(api.ask(post(task(other, "/signal"), R"({"signal":1})")).code() == "wrong_state");
  const std::string both =
      R"({"signal":1,"ids":[)" + std::to_string(id) + "," + std::to_string(other) + "]}";
  CHECK(api.ask(post("/v1/tasks:signal", both)).code() == "wrong_state");
  CHECK(live.heard.size() == 3);
}

TEST_CASE("a signal to several ids reaches all of them or none") {
  ApiFixture api;
  const TaskId first = api.submit();
  const TaskId second = api.submit();
  api.claim();
  api.claim();
  const std::string both = R"({"signal":"USR1","ids":[)" + std::to_string(first) + "," +
                           std::to_string(second) + "]}";
  Listener one;
  api.running().attach(first, one, false);
  // The second is claimed, and its command has not begun.
  CHECK(api.ask(post("/v1/tasks:signal", both)).code() == "wrong_state");
  Listener two;
  two.there = false;  // its shim has just ended
  api.running().attach(second, two, false);
  CHECK(api.ask(post("/v1/tasks:signal", both)).code() == "wrong_state");
  CHECK(one.heard.empty());
  two.there = true;
  CHECK(api.ask(post("/v1/tasks:signal", both)).status == 200);
  CHECK(one.heard == std::vector<int>{10});
  CHECK(two.heard == std::vector<int>{10});
  // What runs and what is another's: no word of it, and nothing is sent.
  const std::string unknown = R"({"signal":"USR1","ids":[)" + std::to_string(first) + ",999]}";
  CHECK(api.ask(post("/v1/tasks:signal", unknown)).code() == "no_such_task");
  CHECK(one.heard.size() == 1);
}

TEST_CASE("a signal to a task whose command is not there right now says so") {
  ApiFixture api;
  const TaskId id = api.submit();
  api.claim();
  CHECK(api.ask(post(task(id, "/signal"), R"({"signal":1})")).status == 409);
  CHECK(api.ask(post("/v1/tasks:signal", R"({"signal":1,"filter":{}})"))
            .json()
            .at("changed")
            .empty());
}

TEST_CASE("what is no signal is refused") {
  ApiFixture api;
  const TaskId id = api.submit();
  api.claim();
  for (const char* body : {"{}", R"({"signal":0})", R"({"signal":"usr1"})", R"({"signal":65})",
                           R"({"signal":32})", R"({"signal":null})", R"({"signal":1,"why":"x"})"}) {
    CAPTURE(body);
    CHECK(api.ask(post(task(id, "/signal"), body)).code() == "invalid_request");
  }
}

}  // namespace
}  // namespace taskd::test
