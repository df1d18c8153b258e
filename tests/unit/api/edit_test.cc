#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::string path_of(TaskId id, const std::string& suffix = "") {
  return "/v1/tasks/" + std::to_string(id) + suffix;
}
std::string patch(TaskId id, const std::string& body, const std::string& headers = "") {
  std::string request = post(path_of(id), body, headers);
  return "PATCH" + request.substr(4);
}

TEST_CASE("PATCH changes the fields it names and answers with the task and its new tag") {
  const ApiFixture api;
  const TaskId id = api.submit(R"({"argv":["a"],"name":"n","env":{"A":"1","B":"2"}})");
  const Response before = api.ask(get(path_of(id)));
  CHECK(before.header("ETag").size() == 18);
  const Response changed = api.ask(
      patch(id, R"({"priority":"high","name":null,"env":{"A":null,"C":"3"},"delay_ms":60000})"));
  CHECK(changed.status == 200);
  const json task = changed.json();
  CHECK(task.at("priority") == 10);
  CHECK(task.at("name") == "");
  CHECK(task.at("env") == json{{"B", "***"}, {"C", "***"}});
  CHECK(task.at("state") == "scheduled");
  CHECK(changed.header("ETag") != before.header("ETag"));
  CHECK(api.ask(get(path_of(id))).header("ETag") == changed.header("ETag"));
  CHECK(api.ask(patch(id, R"({"run_at":null})")).json().at("state") == "queued");
  CHECK(
      api.ask("PATCH" + post("/v1/tasks/last", R"({"shell":"x"})").substr(4)).json().at("shell") ==
      "x");
}

TEST_CASE("If-Match keeps an edit from overwriting another's") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const std::string tag = api.ask(get(path_of(id))).header("ETag");
  CHECK(api.ask(patch(id, R"({"priority":1})", "If-Match: " + tag + "\r\n")).status == 200);
  const Response late = api.ask(patch(id, R"({"priority":2})", "If-Match: " + tag + "\r\n"));
  CHECK(late.status == 412);
  CHECK(late.code() == "edited_meanwhile");
  CHECK(api.ask(get(path_of(id))).json().at("priority") == 1);
  CHECK(api.ask(patch(id, R"({"priority":2})", "If-Match: *\r\n")).status == 200);
  CHECK(api.ask(patch(id, R"({"priority":3})", "If-Match: W/" + tag + "\r\n")).status == 412);
  CHECK(api.ask(patch(id, "{}", "If-Match: a\r\nIf-Match: b\r\n")).status == 400);
}

TEST_CASE("edits that cannot be are refused, and change nothing") {
  const ApiFixture api;
  const TaskId id = api.submit();
  struct Case {
    std::string body;
    int status;
    std::string code;
    std::string pointer;
  };
  for (const Case& c : {Case{R"({"priority":"x"})", 422, "invalid_task", "#/priority"},
                        Case{R"({"nmae":null})", 422, "invalid_task", "#/nmae"},
                        Case{R"({"queue":"none"})", 422, "unknown_queue", "#/queue"},
                        Case{R"({"hold":true})", 422, "invalid_task", "#/hold"},
                        Case{R"({"argv":null})", 422, "invalid_task", "#"},
                        Case{R"({"user":"no-such-user-x"})", 422, "unknown_user", "#/user"}}) {
    CAPTURE(c.body);
    const Response response = api.ask(patch(id, c.body));
    CHECK(response.status == c.status);
    CHECK(response.code() == c.code);
    CHECK(response.json().at("errors").at(0).at("pointer") == c.pointer);
  }
  CHECK(api.ask(patch(id, "[]")).code() == "bad_json");
  CHECK(api.ask(patch(99, "{}")).code() == "no_such_task");
  api.claim();
  const Response running = api.ask(patch(id, R"({"priority":1})"));
  CHECK(running.status == 409);
  CHECK(running.json().at("detail") == "cannot edit task 1: it is running");
}

TEST_CASE("a retry can edit the task it runs again") {
  const ApiFixture api;
  const TaskId id = api.submit(R"({"argv":["a"],"env":{"A":"1"}})");
  api.finish(api.claim(), 1);
  const Response response =
      api.ask(post(path_of(id, "/retry"), R"({"edit":{"argv":["b"],"max_attempts":4}})"));
  CHECK(response.status == 200);
  CHECK(response.json().at("state") == "queued");
  CHECK(response.json().at("argv") == json{"b"});
  const Claim claim = api.claim();
  CHECK(claim.attempt == 2);
  CHECK(claim.spec.env.at("A") == "1");
  CHECK(api.ask(post(path_of(id, "/retry"), R"({"edit":{}})")).code() == "wrong_state");
  CHECK(api.ask(post(path_of(id, "/retry"), R"({"edit":{"x":1}})"))
            .json()
            .at("errors")
            .at(0)
            .at("pointer") == "#/edit/x");
  CHECK(api.ask(post(path_of(id, "/retry"), R"({"edit":{},"more":1})")).code() ==
        "invalid_request");
  CHECK(api.ask(post(path_of(id, "/retry"), R"({"more":1})")).code() == "invalid_request");
}

TEST_CASE("tasks are moved to another queue by their ids or a filter") {
  const ApiFixture api;
  CHECK(api.ask("PUT" + post("/v1/queues/other", "{}").substr(4)).status == 201);
  const TaskId id = api.submit();
  api.submit();
  CHECK(api.ask(post("/v1/tasks:move", R"({"ids":[1],"queue":"other"})")).json().at("changed") ==
        json{{{"id", 1}, {"state", "queued"}}});
  CHECK(api.ask(get(path_of(id))).json().at("queue") == "other");
  const Response all = api.ask(post("/v1/tasks:move", R"({"filter":{},"queue":"other"})"));
  CHECK(all.json().at("changed").size() == 1);
  const auto pointer = [&](const std::string& body) {
    const Response response = api.ask(post("/v1/tasks:move", body));
    CHECK(response.status == 422);
    return response.json().at("errors").at(0).at("pointer");
  };
  CHECK(pointer(R"({"ids":[1]})") == "#/queue");
  CHECK(pointer(R"({"ids":[1],"queue":"none"})") == "#/queue");
  CHECK(pointer(R"({"filter":{"state":["failed"]},"queue":"none"})") == "#/queue");
  CHECK(pointer(R"({"ids":[1],"queue":5})") == "#/queue");
}

}  // namespace
}  // namespace taskd::test
