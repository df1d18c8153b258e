// How requests name arrays, and tasks by their names.
#include <sqlite3.h>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

json listed(const ApiFixture& api, const std::string& query) {
  json ids = json::array();
  const json answer = api.ask(get("/v1/tasks?order=oldest&" + query)).json();
  for (const json& one : answer.at("tasks")) ids.push_back(one.at("id"));
  return ids;
}

// As if the array's submit were still under way.
void make_unfinished(const ApiFixture& api, TaskId array) {
  const std::string sql = "UPDATE arrays SET count = count + 1 WHERE id = " + std::to_string(array);
  sqlite3* db = nullptr;
  REQUIRE(::sqlite3_open(api.database().c_str(), &db) == SQLITE_OK);
  ::sqlite3_busy_timeout(db, 5000);
  CHECK(::sqlite3_exec(db, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  ::sqlite3_close(db);
}

TEST_CASE("tasks are listed by names, each once, in the order of ids") {
  const ApiFixture api;
  api.submit(R"({"argv":["a"],"array":{"first":10,"last":16,"step":2}})");  // 1 to 4
  api.submit();                                                             // 5
  CHECK(listed(api, "tasks=5,1") == json{1, 2, 3, 4, 5});
  CHECK(listed(api, "tasks=1%5B12%5D") == json{2});
  CHECK(listed(api, "tasks=1%5B0-11%5D,2-3") == json{1, 2, 3});
  CHECK(listed(api, "tasks=last") == json{5});
  CHECK(listed(api, "tasks=3-99&tasks=3") == json{3, 4, 5});
  CHECK(listed(api, "tasks=1&state=held").empty());
  const json page = api.ask(get("/v1/tasks?tasks=5,1-3&limit=2")).json();
  CHECK(page.at("tasks").at(0).at("id") == 5);
  CHECK(listed(api, "tasks=5,1-3&limit=2") == json{1, 2});
  const std::string next = page.at("next_cursor");
  const json rest = api.ask(get("/v1/tasks?tasks=5,1-3&limit=2&cursor=" + next)).json();
  CHECK(rest.at("tasks").size() == 2);
  CHECK(rest.at("next_cursor").is_null());
  for (const char* none : {"99", "99-100", "1%5B11%5D", "1%5B17%5D", "5%5B1%5D", "1%5B0-9%5D"}) {
    CAPTURE(none);
    CHECK(api.ask(get("/v1/tasks?tasks=" + std::string(none))).code() == "no_such_task");
  }
  CHECK(api.ask(get("/v1/tasks?tasks=x")).code() == "invalid_request");
  CHECK(api.ask(get("/v1/tasks?tasks=1&array=1")).status == 422);
}

TEST_CASE("of ids, names and a filter a verb takes exactly one, and refuses before it changes") {
  const ApiFixture api;
  api.submit(R"({"argv":["a"],"hold":true,"array":{"first":1,"last":3}})");
  api.submit(R"({"argv":["a"],"hold":true})");
  for (const char* body :
       {R"({"ids":[1],"tasks":["1"]})", R"({"tasks":["1"],"filter":{"array":1}})", "{}",
        R"({"tasks":[]})", R"({"tasks":"1"})", R"({"tasks":[1]})", R"({"tasks":["1-"]})",
        R"({"tasks":["4","5"]})", R"({"tasks":["1-3","7-9"]})"}) {
    CAPTURE(body);
    const Response refused = api.ask(post("/v1/tasks:cancel", body));
    CHECK((refused.status == 422 || refused.status == 404));
    CHECK(refused.code() != "");
  }
  CHECK(listed(api, "state=held").size() == 4);
  // An id is one task, a name the whole array.
  CHECK(api.ask(post("/v1/tasks:cancel", R"({"ids":[1]})")).json().at("changed").size() == 1);
  const json rest = api.ask(post("/v1/tasks:cancel", R"({"tasks":["1","4"]})")).json();
  CHECK(rest.at("changed").size() == 3);
  CHECK(rest.at("unchanged") == json::parse(R"([{"state":"cancelled","count":1}])"));
}

TEST_CASE("last in a path is one task, so after an array it is refused") {
  const ApiFixture api;
  CHECK(api.ask(get("/v1/tasks/last")).code() == "no_such_task");
  api.submit();
  CHECK(api.ask(get("/v1/tasks/last")).json().at("id") == 1);
  api.submit(R"({"argv":["a"],"array":{"first":1,"last":3}})");
  CHECK(api.ask(get("/v1/tasks/last")).code() == "names_an_array");
  CHECK(api.ask(post("/v1/tasks/last/cancel", "")).code() == "names_an_array");
  CHECK(listed(api, "state=queued").size() == 4);
}

TEST_CASE("an array cannot be named before all of its tasks are there") {
  const ApiFixture api;
  api.submit(R"({"argv":["a"],"array":{"first":1,"last":3}})");
  make_unfinished(api, 1);
  for (const std::string& request :
       {get("/v1/tasks?array=1"), get("/v1/tasks?tasks=1"), get("/v1/tasks?tasks=last"),
        post("/v1/tasks:cancel", R"({"tasks":["1"]})"),
        post("/v1/tasks:cancel", R"({"filter":{"array":1}})"),
        post("/v1/tasks:wait", R"({"tasks":["1"],"timeout_ms":0})"),
        post("/v1/tasks", R"({"argv":["a"],"depends_on":[1]})")}) {
    CAPTURE(request);
    const Response response = api.ask(request);
    CHECK(response.status == 503);
    CHECK(response.code() == "array_being_submitted");
    CHECK(response.header("Retry-After").empty());  // nobody knows how long it takes
  }
  CHECK(api.ask(get(task(2))).status == 200);  // each task that is there is one like others
  CHECK(api.ask(get(task(4))).code() == "no_such_task");
}

TEST_CASE("wait tells how many of the tasks have ended, at once or when all have") {
  const ApiFixture api;
  api.submit(R"({"argv":["a"],"array":{"first":1,"last":3}})");
  api.submit();
  const auto wait = [&](const std::string& body) {
    return api.ask(post("/v1/tasks:wait", body)).json();
  };
  api.finish(api.claim(), 0);
  api.finish(api.claim(), 1);
  CHECK(wait(R"({"tasks":["1"],"timeout_ms":0})") ==
        json{{"count", 3}, {"ended", 2}, {"succeeded", 1}});
  CHECK(wait(R"({"ids":[1,4],"timeout_ms":0})") ==
        json{{"count", 2}, {"ended", 1}, {"succeeded", 1}});
  RawClient client = api.connect();
  CHECK(client.send(post("/v1/tasks:wait", R"({"tasks":["1-4"],"timeout_ms":60000})")));
  api.finish(api.claim(), 0);
  api.finish(api.claim(), 0);
  CHECK(client.receive().json() == json{{"count", 4}, {"ended", 4}, {"succeeded", 3}});
  CHECK(api.ask(post("/v1/tasks:wait", R"({"ids":[9]})")).code() == "no_such_task");
  CHECK(api.ask(post("/v1/tasks:wait", R"({"ids":[1],"filter":{}})")).code() == "invalid_request");
  CHECK(api.ask(post("/v1/tasks:wait", R"({"ids":[1],"timeout_ms":-1})")).code() ==
        "invalid_request");
}

TEST_CASE("an array may not write more rows than the daemon makes in some seconds") {
  const ApiFixture api;
  json labels;
  for (int i = 0; i < 9; ++i) labels["k" + std::to_string(i)] = "v";
  json body = {{"argv", {"a"}}, {"labels", labels}, {"array", {{"first", 1}, {"last", 500'001}}}};
  const Response refused = api.ask(post("/v1/tasks", body.dump()));
  CHECK(refused.code() == "invalid_task");
  CHECK(refused.json().at("errors").at(0).at("pointer") == "#/array");
  CHECK(api.rows() == 0);
}

}  // namespace
}  // namespace taskd::test
