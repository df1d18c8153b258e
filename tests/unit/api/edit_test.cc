#include <sqlite3.h>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

void tear_specs(const ApiFixture& api) {
  sqlite3* db = nullptr;
  REQUIRE(::sqlite3_open(api.database().c_str(), &db) == SQLITE_OK);
  ::sqlite3_busy_timeout(db, 5000);
  CHECK(::sqlite3_exec(db, "UPDATE task_specs SET spec = '{torn'", nullptr, nullptr, nullptr) ==
        SQLITE_OK);
  ::sqlite3_close(db);
}

TEST_CASE("PATCH changes the fields it names and answers with the task and its new tag") {
  const ApiFixture api;
  const TaskId id = api.submit(R"({"argv":["a"],"name":"n","env":{"A":"1","B":"2"}})");
  const Response before = api.ask(get(task(id)));
  CHECK(before.header("ETag").size() == 18);
  const Response changed = api.ask(patch(
      task(id), R"({"priority":"high","name":null,"env":{"A":null,"C":"3"},"delay_ms":60000})"));
  CHECK(changed.status == 200);
  const json shown = changed.json();
  CHECK(shown.at("priority") == 10);
  CHECK(shown.at("name") == "");
  CHECK(shown.at("env") == json{{"B", "***"}, {"C", "***"}});
  CHECK(shown.at("state") == "scheduled");
  CHECK(changed.header("ETag") != before.header("ETag"));
  CHECK(api.ask(get(task(id))).header("ETag") == changed.header("ETag"));
  CHECK(api.ask(patch(task(id), R"({"run_at":null})")).json().at("state") == "queued");
  CHECK(
      api.ask("PATCH" + post("/v1/tasks/last", R"({"shell":"x"})").substr(4)).json().at("shell") ==
      "x");
}

TEST_CASE("If-Match keeps an edit from overwriting another's") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const std::string tag = api.ask(get(task(id))).header("ETag");
  CHECK(api.ask(patch(task(id), R"({"priority":1})", "If-Match: " + tag + "\r\n")).status == 200);
  const Response late = api.ask(patch(task(id), R"({"priority":2})", "If-Match: " + tag + "\r\n"));
  CHECK(late.status == 412);
  CHECK(late.code() == "edited_meanwhile");
  CHECK(api.ask(get(task(id))).json().at("priority") == 1);
  CHECK(api.ask(patch(task(id), R"({"priority":2})", "If-Match: *\r\n")).status == 200);
  CHECK(api.ask(patch(task(id), R"({"priority":3})", "If-Match: W/" + tag + "\r\n")).status == 412);
  CHECK(api.ask(patch(task(id), "{}", "If-Match: a\r\nIf-Match: b\r\n")).status == 400);
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
    const Response response = api.ask(patch(task(id), c.body));
    CHECK(response.status == c.status);
    CHECK(response.code() == c.code);
    CHECK(response.json().at("errors").at(0).at("pointer") == c.pointer);
  }
  CHECK(api.ask(patch(task(id), "[]")).code() == "bad_json");
  CHECK(api.ask(patch(task(99), "{}")).code() == "no_such_task");
  api.claim();
  const Response running = api.ask(patch(task(id), R"({"priority":1})"));
  CHECK(running.status == 409);
  CHECK(running.json().at("detail") == "cannot edit task 1: it is running");
}

TEST_CASE("a task whose stored spec cannot be read is neither edited nor copied, and that is said") {
  const ApiFixture api;
  const TaskId id = api.submit();
  tear_specs(api);
  const Response edited = api.ask(patch(task(id), R"({"priority":"high"})"));
  CHECK(edited.status == 409);
  CHECK(edited.code() == "wrong_state");
  const std::string why = "the stored spec of task " + std::to_string(id) + " cannot be read";
  CHECK(edited.json().at("detail").get<std::string>().find(why) != std::string::npos);
  const Response copied =
      api.ask(post("/v1/tasks", R"({"like":)" + std::to_string(id) + R"(,"priority":1})"));
  CHECK(copied.status == 422);
  const json error = copied.json().at("errors").at(0);
  CHECK(error.at("pointer") == "#/like");
  CHECK(error.at("detail").get<std::string>().find(why) != std::string::npos);
  CHECK(api.ask(get(task(id))).status == 200);
}

TEST_CASE("a retry can edit the task it runs again") {
  const ApiFixture api;
  const TaskId id = api.submit(R"({"argv":["a"],"env":{"A":"1"}})");
  api.finish(api.claim(), 1);
  const Response response =
      api.ask(post(task(id, "/retry"), R"({"edit":{"argv":["b"],"max_attempts":4}})"));
  CHECK(response.status == 200);
  CHECK(response.json().at("state") == "queued");
  CHECK(response.json().at("argv") == json{"b"});
  const Claim claim = api.claim();
  CHECK(claim.attempt == 2);
  CHECK(claim.spec.env.at("A") == "1");
  CHECK(api.ask(post(task(id, "/retry"), R"({"edit":{}})")).code() == "wrong_state");
  CHECK(api.ask(post(task(id, "/retry"), R"({"edit":{"x":1}})"))
            .json()
            .at("errors")
            .at(0)
            .at("pointer") == "#/edit/x");
  CHECK(api.ask(post(task(id, "/retry"), R"({"edit":{},"more":1})")).code() == "invalid_request");
  CHECK(api.ask(post(task(id, "/retry"), R"({"more":1})")).code() == "invalid_request");
}

TEST_CASE("tasks are moved to another queue by their ids or a filter") {
  const ApiFixture api;
  CHECK(api.ask("PUT" + post("/v1/queues/other", "{}").substr(4)).status == 201);
  const TaskId id = api.submit();
  api.submit();
  CHECK(api.ask(post("/v1/tasks:move", R"({"ids":[1],"queue":"other"})")).json().at("changed") ==
        json{{{"id", 1}, {"state", "queued"}}});
  CHECK(api.ask(get(task(id))).json().at("queue") == "other");
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

TEST_CASE("a submit like another task takes over what that runs, and the fields beside it win") {
  const ApiFixture api;
  const TaskId first = api.submit();
  const TaskId id = api.submit(
      R"({"argv":["a","b"],"env":{"A":"secret","B":"2"},"labels":{"k":"v"},"timeout_ms":5,
          "stdin":{"text":"in"},"unique":{"key":"u"},"depends_on":[1],"delay_ms":60000})");
  const TaskId like = api.submit(R"({"like":2,"env":{"B":"3"},"priority":7})");
  const json shown = api.ask(get(task(like))).json();
  CHECK(shown.at("state") == "queued");
  CHECK(shown.at("depends_on").empty());
  CHECK(shown.at("unique").is_null());
  CHECK(shown.at("priority") == 7);
  CHECK(shown.at("timeout_ms") == 5);
  CHECK(shown.at("labels") == json{{"k", "v"}});
  CHECK(api.ask(get(task(id))).json().at("state") == "blocked");
  CHECK(api.claim().task == like);
  const TaskId other =
      api.submit(R"({"like":2,"shell":"true","env":null,"stdin":null,"priority":9})");
  const Claim claim = api.claim();
  CHECK(claim.task == other);
  CHECK(claim.spec.argv.empty());
  CHECK(claim.spec.shell == "true");
  CHECK(claim.spec.env.empty());
  CHECK(claim.spec.stdin_text.empty());
  CHECK(first == 1);
}

TEST_CASE("the copy of a task has the true values of what is never shown") {
  const ApiFixture api;
  api.submit(R"({"argv":["a"],"env":{"A":"secret"},"stdin":{"text":"in"},"hold":true})");
  const Response batch =
      api.ask(post("/v1/tasks", R"({"tasks":[{"like":1},{"like":1,"argv":["c"]}]})"));
  CHECK(batch.status == 201);
  CHECK(batch.body.find("secret") == std::string::npos);
  const Claim claim = api.claim();
  CHECK(claim.spec.env.at("A") == "secret");
  CHECK(claim.spec.stdin_text == "in");
  CHECK(api.claim().spec.argv == std::vector<std::string>{"c"});
}

TEST_CASE("a submit like no task is refused at that field") {
  const ApiFixture api;
  api.submit();
  for (const char* like : {"99", "0", "-1", "\"1\"", "1.5", "null", "[1]"}) {
    CAPTURE(like);
    const Response response = api.ask(post("/v1/tasks", R"({"like":)" + std::string(like) + "}"));
    CHECK(response.status == 422);
    CHECK(response.code() == (std::string(like) == "99" ? "unknown_task" : "invalid_task"));
    CHECK(response.json().at("errors").at(0).at("pointer") == "#/like");
  }
  const Response gone = api.ask(post("/v1/tasks", R"({"tasks":[{"like":1},{"like":99}]})"));
  CHECK(gone.code() == "unknown_task");
  CHECK(gone.json().at("errors").at(0).at("pointer") == "#/tasks/1/like");
  const Response batch =
      api.ask(post("/v1/tasks", R"({"tasks":[{"like":1},{"like":0},{"like":1,"x":1}]})"));
  CHECK(batch.json().at("errors").at(0).at("pointer") == "#/tasks/1/like");
  CHECK(batch.json().at("errors").at(1).at("pointer") == "#/tasks/2/x");
  CHECK(api.ask(post("/v1/tasks", R"({"tasks":[{"argv":["a"]}],"defaults":{"like":1}})")).code() ==
        "invalid_task");
  CHECK(api.rows() == 1);
}

}  // namespace
}  // namespace taskd::test
