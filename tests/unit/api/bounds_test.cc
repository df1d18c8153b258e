// No answer grows with what was done, and no request becomes more than SQL can take.
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::string labels_query(int count) {
  std::string query;
  for (int i = 0; i < count; ++i) {
    query += (i == 0 ? "" : "&") + std::string("label=k") + std::to_string(i) + "=v";
  }
  return query;
}

json labels(int count) {
  json all = json::object();
  for (int i = 0; i < count; ++i) all["k" + std::to_string(i)] = "v";
  return all;
}

TEST_CASE("a filter has at most 64 labels, wherever it stands") {
  const ApiFixture api;
  CHECK(api.ask(get("/v1/tasks?" + labels_query(64))).status == 200);
  for (const int count : {65, 300}) {
    const Response listed = api.ask(get("/v1/tasks?" + labels_query(count)));
    CHECK(listed.status < 500);
    CHECK(listed.status >= 400);
    CHECK(listed.json().at("detail").get<std::string>().find("labels") != std::string::npos);
  }
  for (const char* verb : {"cancel", "retry", "hold", "release", "delete", "move", "signal"}) {
    CAPTURE(verb);
    json body = {{"filter", {{"labels", labels(1500)}}}};
    if (verb == std::string("move")) body["queue"] = "default";
    if (verb == std::string("signal")) body["signal"] = "HUP";
    const Response refused = api.ask(post("/v1/tasks:" + std::string(verb), body.dump()));
    CHECK(refused.status == 422);
    CHECK(refused.json().at("errors").at(0).at("pointer") == "#/filter/labels");
    CHECK(refused.json().at("errors").at(0).at("detail") == "must have at most 64 items");
  }
}

TEST_CASE("a list of states or reasons is bounded, and a word that comes twice counts once") {
  const ApiFixture api;
  api.submit();
  std::string states = "queued";
  for (int i = 0; i < 100; ++i) states += ",queued";
  CHECK(api.ask(get("/v1/tasks?state=" + states)).status / 100 == 4);
  CHECK(api.ask(get("/v1/tasks?state=queued,queued")).json().at("tasks").size() == 1);
  const json many = {{"filter", {{"reason", std::vector<std::string>(5000, "exit")}}}};
  const Response refused = api.ask(post("/v1/tasks:retry", many.dump()));
  CHECK(refused.status == 422);
  CHECK(refused.json().at("errors").at(0).at("pointer") == "#/filter/reason");
}

TEST_CASE("a field that is not known is named by a JSON pointer, whatever is in its name") {
  const ApiFixture api;
  const auto pointer = [&](const std::string& target, const json& body) -> std::string {
    return api.ask(post(target, body.dump())).json().at("errors").at(0).at("pointer");
  };
  for (const char* verb : {"cancel", "retry", "hold", "release", "delete"}) {
    CAPTURE(verb);
    CHECK(pointer("/v1/tasks:" + std::string(verb), {{"ids", {1}}, {"a/b~c d", 1}}) ==
          "#/a~1b~0c%20d");
    CHECK(pointer("/v1/tasks:" + std::string(verb), {{"filter", {{"a/b", 1}}}}) ==
          "#/filter/a~1b");
    CHECK(pointer("/v1/tasks:" + std::string(verb), {{"filter", {{"labels", {{"a/~", 1}}}}}}) ==
          "#/filter/labels/a~1~0");
  }
  CHECK(pointer("/v1/tasks:signal", {{"signal", "HUP"}, {"ids", {1}}, {"x/y", 1}}) == "#/x~1y");
  CHECK(pointer("/v1/tasks", {{"argv", {"a"}}, {"x/~y", 1}}) == "#/x~1~0y");
  CHECK(pointer("/v1/tasks", {{"tasks", {{{"argv", {"a"}}}}}, {"x/~y", 1}}) == "#/x~1~0y");
  CHECK(pointer("/v1/workflows", {{"chain", {{{"argv", {"a"}}, {"b/c", 1}}}}}) ==
        "#/chain/0/b~1c");
}

TEST_CASE("a bulk verb counts what it did") {
  const ApiFixture api;
  for (int i = 0; i < 3; ++i) api.submit();
  api.claim();
  const json done = api.ask(post("/v1/tasks:cancel", R"({"filter":{}})")).json();
  CHECK(done.at("count") == 3);
  CHECK(done.at("running") == 1);
  CHECK(done.at("changed").size() == 3);
  CHECK(api.ask(post("/v1/tasks:cancel", R"({"ids":[2]})")).json().at("count") == 1);
}

TEST_CASE("a batch has up to ten thousand tasks, a task as many dependencies, a workflow as many steps") {
  const ApiFixture api;
  const auto list = [](int count) {
    std::string items = R"({"argv":["true"]})";
    for (int i = 1; i < count; ++i) items += R"(,{"argv":["true"]})";
    return "[" + items + "]";
  };
  const std::string defaults = json{{"env", {{"A", std::string(500, 'x')}}}}.dump();
  const Response batch = api.ask(
      post("/v1/tasks", R"({"tasks":)" + list(10'000) + R"(,"defaults":)" + defaults + "}"));
  CHECK(batch.status == 201);
  CHECK(batch.json().at("tasks").size() == 10'000);
  const Response more = api.ask(post("/v1/tasks", R"({"tasks":)" + list(10'001) + "}"));
  CHECK(more.status == 422);
  const Response after = api.ask(post(
      "/v1/tasks", R"({"argv":["true"],"depends_on":[{"tasks":"1-10000","on":"any"}]})"));
  CHECK(after.status == 201);
  const Response flow = api.ask(
      post("/v1/workflows", R"({"group":)" + list(9'999) + R"(,"then":{"argv":["true"]}})"));
  CHECK(flow.status == 201);
  CHECK(api.rows() == 20'001);
}

TEST_CASE("a batch of large tasks is answered in full up to some megabytes") {
  const ApiFixture api;
  json fat = {{"argv", {"true"}}, {"hold", true}};
  for (int i = 0; i < 6; ++i) fat["argv"].push_back(std::string(100'000, 'x'));
  const TaskId first = api.submit(fat.dump());
  json batch = {{"tasks", json::array()}};
  for (int i = 0; i < 20; ++i) batch["tasks"].push_back({{"like", first}});
  const Response answer = api.ask(post("/v1/tasks", batch.dump()));
  REQUIRE(answer.status == 201);
  CHECK(answer.body.size() < (12 << 20));
  const json tasks = answer.json().at("tasks");
  REQUIRE(tasks.size() == 20);
  CHECK(tasks.front().contains("argv"));
  CHECK(tasks.back() == json{{"id", first + 20}, {"state", "queued"}});
}

TEST_CASE("a workflow's tasks are given in pages") {
  const ApiFixture api;
  json group = {{"group", json::array()}};
  for (int i = 0; i < 5; ++i) group["group"].push_back({{"argv", {"true"}}});
  const json made = api.ask(post("/v1/workflows", group.dump())).json();
  CHECK(made.at("tasks").size() == 5);
  CHECK(made.at("next_cursor").is_null());
  std::vector<std::string> steps;
  std::string cursor;
  int pages = 0;
  do {
    const json page = api.ask(get("/v1/workflows/1?limit=2" + cursor)).json();
    CHECK(page.at("counts").at("queued") == 5);
    for (const json& task : page.at("tasks")) {
      steps.push_back(task.at("workflow").at("step").get<std::string>());
    }
    const json next = page.at("next_cursor");
    cursor = next.is_null() ? "" : "&cursor=" + next.get<std::string>();
    ++pages;
  } while (!cursor.empty());
  CHECK(pages == 3);
  CHECK(steps == std::vector<std::string>{"1", "2", "3", "4", "5"});
  CHECK(api.ask(get("/v1/workflows/1?limit=0")).status == 422);
  CHECK(api.ask(get("/v1/workflows/1?cursor=1-x")).code() == "bad_cursor");
}

TEST_CASE("schedules are given in pages") {
  const ApiFixture api;
  const json body = {{"every_ms", 60'000}, {"task", {{"argv", {"true"}}}}};
  for (const char* name : {"c", "a", "b"}) {
    CHECK(api.ask(put("/v1/schedules/" + std::string(name), body.dump())).status == 201);
  }
  const json first = api.ask(get("/v1/schedules?limit=2")).json();
  CHECK(first.at("schedules").at(0).at("name") == "c");
  CHECK(first.at("schedules").size() == 2);
  const std::string cursor = first.at("next_cursor");
  const json rest = api.ask(get("/v1/schedules?limit=2&cursor=" + cursor)).json();
  CHECK(rest.at("schedules").size() == 1);
  CHECK(rest.at("schedules").at(0).at("name") == "b");
  CHECK(rest.at("next_cursor").is_null());
}

TEST_CASE("the statistics tell how long transactions take") {
  const ApiFixture api;
  api.submit();
  const json writer = api.ask(get("/v1/stats")).json().at("writer");
  CHECK(writer.at("commits") > 0);
  CHECK(writer.at("waiting") == 0);
  CHECK(writer.at("cpu_us").at("max") >= writer.at("cpu_us").at("p999"));
  CHECK(writer.at("cpu_us").at("p999") >= writer.at("cpu_us").at("p50"));
}

}  // namespace
}  // namespace taskd::test
