// Requests that are repeated with their Idempotency-Key.
#include <sqlite3.h>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::string key(const std::string& name) {
  return "Idempotency-Key: " + name + "\r\n";
}
const std::string kOnceTask = R"({"argv":["true"],"labels":{"a":"b"}})";

int events(const ApiFixture& api, TaskId id, const std::string& type) {
  sqlite3* db = nullptr;
  REQUIRE(::sqlite3_open((api.attempts_dir() + "/../taskd.db").c_str(), &db) == SQLITE_OK);
  int count = 0;
  const std::string sql = "SELECT count(*) FROM events WHERE task_id = " + std::to_string(id) +
                          " AND type = '" + type + "'";
  ::sqlite3_exec(
      db, sql.c_str(),
      [](void* out, int, char** values, char**) {
        *static_cast<int*>(out) = std::atoi(values[0]);
        return 0;
      },
      &count, nullptr);
  ::sqlite3_close(db);
  return count;
}

TEST_CASE("a submit is repeated whatever the order of its fields and its blanks") {
  const ApiFixture api;
  const Response first = api.ask(post("/v1/tasks", kOnceTask, key("k")));
  CHECK(first.status == 201);
  const Response again = api.ask(post(
      "/v1/tasks", "{ \"labels\" : {\"a\":\"b\"},\r\n \"argv\": [\"tr\\u0075e\"] }", key("k")));
  CHECK(again.status == 200);
  CHECK(again.json() == first.json());
  const Response other =
      api.ask(post("/v1/tasks", R"({"argv":["true"],"labels":{"a":"c"}})", key("k")));
  CHECK(other.status == 422);
  CHECK(other.code() == "idempotency_key_reused");
  CHECK(api.rows() == 1);
}

TEST_CASE("a retry, and each other verb of a task, is done once") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const auto fail = [&] { api.finish(api.claim(), 1); };
  fail();
  CHECK(api.ask(post(task(id, "/retry"), "", key("r1"))).json().at("state") == "queued");
  fail();
  const Response again = api.ask(post(task(id, "/retry"), "{}", key("r1")));
  CHECK(again.status == 200);
  CHECK(again.json().at("state") == "failed");  // as it is now
  CHECK(events(api, id, "retried") == 1);
  CHECK(api.ask(post(task(id, "/retry"), "", key("r2"))).json().at("state") == "queued");
  CHECK(api.ask(post("/v1/tasks/last/hold", "", key("h"))).json().at("state") == "held");
  CHECK(api.ask(post(task(id, "/release"), "", key("x"))).json().at("state") == "queued");
  CHECK(api.ask(post(task(id, "/release"), "", key("x"))).status == 200);  // else 409
  // "last" is who it was then.
  const TaskId newer = api.submit();
  CHECK(api.ask(post("/v1/tasks/last/hold", "", key("h"))).json().at("id") == id);
  CHECK(api.ask(get(task(newer))).json().at("state") == "queued");
  CHECK(api.ask(post(task(id, "/cancel"), "", key("c"))).json().at("state") == "cancelled");
  CHECK(api.ask(post(task(id, "/cancel"), "", key("c"))).json().at("state") == "cancelled");
  CHECK(events(api, id, "cancelled") == 1);
}

TEST_CASE("a key is free for one use: another path or body is refused, and changes nothing") {
  const ApiFixture api;
  const TaskId one = api.submit();
  const TaskId two = api.submit();
  CHECK(api.ask(post(task(one, "/hold"), "", key("k"))).status == 200);
  for (const std::string& request :
       {post(task(two, "/hold"), "", key("k")), post(task(one, "/cancel"), "", key("k")),
        post("/v1/tasks", kOnceTask, key("k")), post("/v1/queues/default/pause", "", key("k")),
        post("/v1/tasks:cancel", R"({"ids":[1]})", key("k"))}) {
    CAPTURE(request);
    const Response refused = api.ask(request);
    CHECK(refused.status == 422);
    CHECK(refused.code() == "idempotency_key_reused");
  }
  CHECK(api.ask(post("/v1/tasks", kOnceTask, key("s"))).status == 201);
  CHECK(api.ask(post(task(two, "/hold"), "", key("s"))).code() == "idempotency_key_reused");
  CHECK(api.ask(get(task(two))).json().at("state") == "queued");
  CHECK(api.ask(post(task(one, "/hold"), "", "Idempotency-Key: a b\r\n")).code() ==
        "bad_idempotency_key");
}

TEST_CASE("what is refused leaves its key free") {
  const ApiFixture api;
  const TaskId id = api.submit();
  CHECK(api.ask(post(task(id, "/retry"), "", key("k"))).code() == "wrong_state");
  CHECK(api.ask(post(task(99, "/retry"), "", key("k"))).code() == "no_such_task");
  CHECK(api.ask(post(task(id, "/retry"), "[", key("k"))).code() == "bad_json");
  api.finish(api.claim(), 1);
  CHECK(api.ask(post(task(id, "/retry"), "", key("k"))).status == 200);
}

TEST_CASE("a verb that changes nothing has used its key all the same") {
  const ApiFixture api;
  const TaskId id = api.submit();
  CHECK(api.ask(post(task(id, "/cancel"), "")).status == 200);
  CHECK(api.ask(post(task(id, "/cancel"), "", key("c"))).status == 200);
  CHECK(api.ask(post(task(id, "/retry"), "")).status == 200);
  // The earlier request, come again: somebody runs the task since.
  CHECK(api.ask(post(task(id, "/cancel"), "", key("c"))).json().at("id") == id);
  CHECK(api.ask(get(task(id))).json().at("state") == "queued");
}

TEST_CASE("verbs of many tasks give their first answer again") {
  const ApiFixture api;
  for (int i = 0; i < 3; ++i) api.submit(kOnceTask);
  for (int i = 0; i < 2; ++i) api.finish(api.claim(), 1);
  const std::string failed = R"({"filter":{"state":["failed"]}})";
  const Response first = api.ask(post("/v1/tasks:retry", failed, key("r")));
  CHECK(first.json().at("changed").size() == 2);
  for (int i = 0; i < 2; ++i) api.finish(api.claim(), 1);
  const Response again = api.ask(post("/v1/tasks:retry", failed, key("r")));
  CHECK(again.status == 200);
  CHECK(again.json() == first.json());
  CHECK(events(api, 1, "retried") == 1);

  const std::string ids = R"({"ids":[1,2]})";
  const Response removed = api.ask(post("/v1/tasks:delete", ids, key("d")));
  CHECK(removed.json().at("freed_bytes") == 2 * FakeLauncher::kBytesOfEach);
  CHECK(api.ask(post("/v1/tasks:delete", ids, key("d"))).json() == removed.json());
  const std::string move = R"({"ids":[3],"queue":"nope"})";
  CHECK(api.ask(post("/v1/tasks:move", move, key("m"))).code() == "unknown_queue");
  CHECK(api.ask(post("/v1/tasks:hold", R"({"ids":[3]})", key("h"))).status == 200);
  CHECK(
      api.ask(post("/v1/tasks:hold", R"({ "ids" : [3] })", key("h"))).json().at("changed").size() ==
      1);
}

TEST_CASE(
    "a schedule is triggered once, and verbs of queues, schedules and workflows are done once") {
  const ApiFixture api;
  CHECK(
      api.ask(put("/v1/schedules/s", R"({"every_ms":3600000,"task":{"argv":["true"]}})")).status ==
      201);
  const Response first = api.ask(post("/v1/schedules/s/trigger", "", key("t")));
  CHECK(first.status == 201);
  const Response again = api.ask(post("/v1/schedules/s/trigger", "{}", key("t")));
  CHECK(again.status == 200);
  CHECK(again.json().at("id") == first.json().at("id"));
  CHECK(api.rows() == 1);
  const std::string once = R"({"every_ms":3600000,"task":{"argv":["true"],"unique":{"key":"u"}}})";
  CHECK(api.ask(put("/v1/schedules/u", once)).status == 201);
  CHECK(api.ask(post("/v1/schedules/u/trigger", "")).status == 201);
  const Response there = api.ask(post("/v1/schedules/u/trigger", "", key("u")));
  CHECK(there.json().at("existing") == true);
  CHECK(api.ask(post("/v1/schedules/u/trigger", "", key("u"))).json() == there.json());

  CHECK(api.ask(post("/v1/queues/default/pause", R"({"reason":"why"})", key("p"))).status == 200);
  CHECK(api.ask(post("/v1/queues/default/resume", "")).status == 200);
  CHECK(api.ask(post("/v1/queues/default/pause", R"({"reason":"why"})", key("p")))
            .json()
            .at("paused") == nullptr);
  CHECK(api.ask(post("/v1/schedules/s/pause", "", key("sp"))).status == 200);
  CHECK(api.ask(post("/v1/schedules/s/resume", "")).status == 200);
  CHECK(api.ask(post("/v1/schedules/s/pause", "", key("sp"))).json().at("paused") == nullptr);

  const std::string chain = R"({"chain":[{"argv":["true"]},{"argv":["true"]}]})";
  const Response workflow = api.ask(post("/v1/workflows", chain, key("w")));
  CHECK(workflow.status == 201);
  CHECK(api.ask(post("/v1/workflows", R"({ "chain":[{"argv":["true"]},{"argv":["true"]}]})",
                     key("w")))
            .status == 200);
  const std::string path = "/v1/workflows/" + workflow.json().at("id").dump();
  CHECK(api.ask(post(path + "/cancel", "", key("wc"))).json().at("state") == "cancelled");
  CHECK(api.ask(post(path + "/retry", "", key("wr"))).json().at("state") == "queued");
  CHECK(api.ask(post(path + "/cancel", "", key("wc"))).json().at("state") == "queued");
}

TEST_CASE("verbs that take several commits are finished by who repeats them after a crash") {
  const ApiFixture api;
  json ids = json::array();
  for (int id = 1; id <= 1001; ++id) ids.push_back(id);
  CHECK(api.ask(post("/v1/tasks", R"({"argv":["true"],"array":{"first":1,"last":1001}})")).status ==
        201);
  const std::string many = json{{"ids", ids}}.dump();
  const std::string names = R"({"tasks":["1-1001"]})";
  for (const std::string& body : {many, names}) {
    CAPTURE(body.size());
    CHECK(api.ask(post("/v1/tasks:hold", body, key("k" + std::to_string(body.size())))).status == 200);
    // As a daemon leaves it that dies after the first of the commits.
    CHECK(api.ask(post("/v1/tasks/1001/release", "")).status == 200);
    sqlite3* db = nullptr;
    REQUIRE(::sqlite3_open(api.database().c_str(), &db) == SQLITE_OK);
    ::sqlite3_busy_timeout(db, 5000);
    CHECK(::sqlite3_exec(db,
                         "UPDATE idempotency_keys SET finished = 0, answer = NULL",
                         nullptr, nullptr, nullptr) == SQLITE_OK);
    ::sqlite3_close(db);
    const Response again =
        api.ask(post("/v1/tasks:hold", body, key("k" + std::to_string(body.size()))));
    CHECK(again.status == 200);
    CHECK(api.ask(get("/v1/tasks/1001")).json().at("state") == "held");
    CHECK(api.ask(post("/v1/tasks:release", body)).status == 200);
  }
}

TEST_CASE("a wait is no deed: under a key it answers as without, each time anew") {
  const ApiFixture api;
  api.submit();
  const TaskId id = api.submit();
  const std::string request = post("/v1/tasks:wait", R"({"ids":[1,2]})", key("w"));
  RawClient client = api.connect();
  client.send(request);
  CHECK(client.receive(50).status == 0);
  for (int i = 0; i < 2; ++i) api.finish(api.claim());
  const json both = {{"count", 2}, {"ended", 2}, {"succeeded", 2}};
  const Response answer = client.receive();
  CHECK(answer.status == 200);
  CHECK(answer.json() == both);
  CHECK(api.ask(request).json() == both);
  const std::string poll = post("/v1/tasks:wait", R"({"ids":[1,2],"timeout_ms":0})", key("p"));
  CHECK(api.ask(poll).json() == both);
  CHECK(api.ask(post(task(id, "/retry"), "")).status == 200);
  CHECK(api.ask(poll).json() == json{{"count", 2}, {"ended", 1}, {"succeeded", 1}});
  CHECK(api.ask(post("/v1/tasks:wait", R"({"ids":[1]})", "Idempotency-Key: a b\r\n")).code() ==
        "bad_idempotency_key");
  // It takes the key from nobody, not even while it lasts.
  RawClient waiting = api.connect();
  waiting.send(request);
  CHECK(api.ask(post(task(id, "/hold"), "", key("w"))).json().at("state") == "held");
}

TEST_CASE("a dry run is no deed: it speaks of now under a key too, and leaves it to the deed") {
  const ApiFixture api;
  for (int i = 0; i < 3; ++i) api.submit();
  const json bodies[] = {{{"filter", json::object()}}, {{"tasks", {"1-3"}}}};
  int number = 0;
  for (const std::string verb : {"hold", "signal"}) {
    for (json body : bodies) {
      const std::string once = key("d" + std::to_string(number++));
      if (verb == "signal") body["signal"] = "HUP";
      body["dry_run"] = true;
      CAPTURE(body.dump());
      const std::string dry = post("/v1/tasks:" + verb, body.dump(), once);
      const std::int64_t count = api.ask(dry).json().at("count");
      CHECK(api.ask(post(task(3, verb == "hold" ? "/hold" : "/cancel"), "")).status == 200);
      const std::int64_t now = api.ask(dry).json().at("count");
      CHECK(now == (verb == "hold" ? count - 1 : 0));
      body["dry_run"] = false;
      CHECK(api.ask(post("/v1/tasks:" + verb, body.dump(), once)).json().at("count") == now);
      if (verb == "hold") CHECK(api.ask(post("/v1/tasks:release", R"({"tasks":["1-3"]})")).status == 200);
    }
  }
}

TEST_CASE("a report is taken once under its key") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  const auto report = [&](const std::string& result) {
    return post(task(id, "/result"),
                R"({"attempt":1,"token":")" + claim.secret + R"(","result":)" + result + "}",
                key("k"));
  };
  CHECK(api.ask(report("1")).status == 200);
  CHECK(api.ask(report("1")).json() == json{{"id", id}});
  CHECK(api.ask(report("2")).code() == "idempotency_key_reused");
  CHECK(api.ask(get(task(id, "/result"))).json().at("result") == 1);
}

TEST_CASE("keys outlive the server") {
  ApiFixture api;
  const TaskId id = api.submit();
  api.finish(api.claim(), 1);
  CHECK(api.ask(post(task(id, "/retry"), "", key("k"))).status == 200);
  api.stop();
  api.start();
  api.finish(api.claim(), 1);
  CHECK(api.ask(post(task(id, "/retry"), "", key("k"))).json().at("state") == "failed");
}

TEST_CASE("of the same request twice at once one is done and the other is told so") {
  const ApiFixture api;
  const TaskId id = api.submit();
  api.finish(api.claim(), 1);
  std::vector<RawClient> clients;
  for (int i = 0; i < 16; ++i) {
    clients.push_back(api.connect());
    clients.back().send(post(task(id, "/retry"), "", key("k")));
  }
  int done = 0;
  for (RawClient& client : clients) {
    const Response response = client.receive();
    if (response.status == 200) ++done;
    if (response.status != 200) CHECK(response.code() == "request_in_progress");
  }
  CHECK(done >= 1);
  CHECK(events(api, id, "retried") == 1);
}

}  // namespace
}  // namespace taskd::test
