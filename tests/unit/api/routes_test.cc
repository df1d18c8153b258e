#include <unistd.h>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

TEST_CASE("a submit answers 201 with the whole task and where it is") {
  const ApiFixture api;
  const Response response =
      api.ask(post("/v1/tasks", R"({"argv":["echo","a b"],"env":{"K":"secret"},"priority":"high",
                                    "labels":{"team":"x"},"name":"greet"})"));
  CHECK(response.status == 201);
  CHECK(response.header("Content-Type") == "application/json");
  const json answer = response.json();
  const TaskId id = answer.at("id");
  CHECK(response.header("Location") == task(id));
  CHECK(answer.at("state") == "queued");
  CHECK(answer.at("command") == "echo 'a b'");
  CHECK(answer.at("priority") == 10);
  CHECK(answer.at("uid") == ::geteuid());
  CHECK(response.body.find("secret") == std::string::npos);
  CHECK(api.ask(get(task(id))).json() == answer);
  CHECK(api.ask(get("/v1/tasks/last")).json() == answer);
}

TEST_CASE("a batch is stored whole or not at all") {
  const ApiFixture api;
  std::string items = R"({"argv":["0"]})";
  for (int i = 1; i < 2'500; ++i) items += R"(,{"argv":[")" + std::to_string(i) + R"("]})";
  const Response good = api.ask(post("/v1/tasks", "{\"tasks\":[" + items + "]}"));
  CHECK(good.status == 201);
  const json tasks = good.json().at("tasks");
  REQUIRE(tasks.size() == 2'500);
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    REQUIRE(tasks[i].at("argv").at(0) == std::to_string(i));
  }
  CHECK(api.ask(post("/v1/tasks", R"({"tasks":[{"argv":["a"]},{"argv":["b"],"queue":"none"}]})"))
            .json()
            .at("errors")
            .at(0)
            .at("pointer") == "#/tasks/1/queue");
  CHECK(api.rows() == 2'500);
}

TEST_CASE("what the tasks of a batch have in common is said once") {
  const ApiFixture api;
  const Response good = api.ask(post("/v1/tasks", R"({"defaults":{"priority":5,"shell":"s"},
      "tasks":[{"argv":["a"]},{"priority":"low"}]})"));
  CHECK(good.status == 201);
  const json tasks = good.json().at("tasks");
  CHECK(tasks.at(0).at("argv") == json{"a"});
  CHECK(tasks.at(0).at("priority") == 5);
  CHECK(tasks.at(1).at("shell") == "s");
  CHECK(tasks.at(1).at("priority") == -10);
  const auto pointer = [&](const std::string& body) {
    const Response response = api.ask(post("/v1/tasks", body));
    CHECK(response.status == 422);
    return response.json().at("errors").at(0).at("pointer");
  };
  CHECK(pointer(R"({"defaults":{"priority":"x"},"tasks":[{"argv":["a"]}]})") ==
        "#/defaults/priority");
  CHECK(pointer(R"({"defaults":[],"tasks":[{"argv":["a"]}]})") == "#/defaults");
  CHECK(pointer(R"({"defaults":{"argv":["a"]},"tasks":[{"priority":"x"}]})") ==
        "#/tasks/0/priority");
  CHECK(pointer(R"({"defaults":{"argv":["a"]},"tasks":[5]})") == "#/tasks/0");
  CHECK(pointer(R"({"defaults":{"argv":["a"]}})") == "#/defaults");
  CHECK(api.rows() == 2);
}

TEST_CASE("the same Idempotency-Key gives the same task, and another body is refused") {
  const ApiFixture api;
  const std::string body = R"({"argv":["true"]})";
  const std::string key = "Idempotency-Key: k-1\r\n";
  const Response first = api.ask(post("/v1/tasks", body, key));
  CHECK(first.status == 201);
  const Response again = api.ask(post("/v1/tasks", body, key));
  CHECK(again.status == 200);
  CHECK(again.json() == first.json());
  const Response other = api.ask(post("/v1/tasks", R"({"argv":["false"]})", key));
  CHECK(other.status == 422);
  CHECK(other.code() == "idempotency_key_reused");
  CHECK(api.rows() == 1);

  const std::string batch = R"({"tasks":[{"argv":["a"]},{"argv":["b"]}]})";
  const std::string batch_key = "Idempotency-Key: k-2\r\n";
  const Response many = api.ask(post("/v1/tasks", batch, batch_key));
  CHECK(many.status == 201);
  const Response many_again = api.ask(post("/v1/tasks", batch, batch_key));
  CHECK(many_again.status == 200);
  CHECK(many_again.json() == many.json());
}

TEST_CASE("a full queue answers 503, with a Retry-After where it can be told") {
  const ApiFixture api;
  const QueuePatch small{"small", 1};
  api.store().configure_queues({&small, 1});
  const std::string request = post("/v1/tasks", R"({"argv":["true"],"queue":"small"})");
  CHECK(api.ask(request).status == 201);
  const Response full = api.ask(request);
  CHECK(full.status == 503);
  CHECK(full.code() == "queue_full");
  CHECK(full.header("Retry-After").empty());  // nobody knows how long such tasks take

  const std::string rate = R"({"capacity":1,"rate":{"count":2,"per_ms":60000}})";
  CHECK(api.ask(put("/v1/queues/small", rate)).status == 200);
  CHECK(api.ask(request).header("Retry-After") == "30");
  CHECK(api.ask(put("/v1/queues/small", R"({"capacity":1,"rate":{"count":1,"per_ms":864000000}})"))
            .status == 200);
  CHECK(api.ask(request).header("Retry-After") == "3600");
  CHECK(api.ask(post("/v1/queues/small/pause", "")).status == 200);
  CHECK(api.ask(request).header("Retry-After").empty());
}

TEST_CASE("how long the latest tasks of a full queue took tells when to try again") {
  const ApiFixture api;
  const QueuePatch small{"small", 5};
  api.store().configure_queues({&small, 1});
  const std::string request = post("/v1/tasks", R"({"argv":["true"],"queue":"small"})");
  for (int i = 0; i < 5; ++i) CHECK(api.ask(request).status == 201);
  for (int i = 0; i < 5; ++i) api.finish(api.claim());
  for (int i = 0; i < 5; ++i) CHECK(api.ask(request).status == 201);
  CHECK(api.ask(request).header("Retry-After") == "1");  // at once, and no less can be said
}

TEST_CASE("a queue of capacity 0 answers that it takes nothing, without a Retry-After") {
  const ApiFixture api;
  const QueuePatch closed{"closed", 0};
  api.store().configure_queues({&closed, 1});
  const Response none = api.ask(post("/v1/tasks", R"({"argv":["true"],"queue":"closed"})"));
  CHECK(none.status == 503);
  CHECK(none.code() == "queue_full");
  CHECK(none.json().at("detail") == "queue \"closed\" takes no tasks: its capacity is 0");
  CHECK(none.header("Retry-After") == "");
}

TEST_CASE("a retry into a full queue answers like a submit, and says how far a filter came") {
  const ApiFixture api;
  const QueuePatch small{"small", 2};
  api.store().configure_queues({&small, 1});
  const std::string body = R"({"argv":["true"],"queue":"small"})";
  for (int i = 0; i < 2; ++i) CHECK(api.ask(post("/v1/tasks", body)).status == 201);
  for (const std::string id : {"1", "2"}) api.ask(post("/v1/tasks/" + id + "/cancel", ""));
  CHECK(api.ask(post("/v1/tasks", body)).status == 201);
  const Response some = api.ask(post("/v1/tasks:retry", R"({"filter":{"queue":"small"}})"));
  CHECK(some.status == 503);
  CHECK(some.code() == "queue_full");
  CHECK(some.json().at("detail").get<std::string>().find("; 1 task was put there before") !=
        std::string::npos);
  const Response one = api.ask(post("/v1/tasks/2/retry", ""));
  CHECK(one.status == 503);
  CHECK(one.code() == "queue_full");
  CHECK(one.header("Retry-After").empty());
}

std::vector<TaskId> ids_of(const json& page) {
  std::vector<TaskId> ids;
  for (const json& item : page.at("tasks")) ids.push_back(item.at("id"));
  return ids;
}

TEST_CASE("cursors walk through a list in both orders and are bound to it") {
  const ApiFixture api;
  for (int i = 0; i < 7; ++i) api.submit();
  for (const std::string order : {"newest", "oldest"}) {
    std::vector<TaskId> seen;
    std::string cursor;
    for (int pages = 0; pages < 4; ++pages) {
      const json page = api.ask(get("/v1/tasks?limit=3&order=" + order + cursor)).json();
      for (const TaskId id : ids_of(page)) seen.push_back(id);
      if (page.at("next_cursor").is_null()) break;
      cursor = "&cursor=" + page.at("next_cursor").get<std::string>();
    }
    std::vector<TaskId> expected = {1, 2, 3, 4, 5, 6, 7};
    if (order == "newest") std::reverse(expected.begin(), expected.end());
    CHECK(seen == expected);
    const std::string other = order == "newest" ? "oldest" : "newest";
    CHECK(api.ask(get("/v1/tasks?order=" + other + cursor)).code() == "bad_cursor");
    CHECK(api.ask(get("/v1/tasks?name=x&order=" + order + cursor)).code() == "bad_cursor");
  }
}

TEST_CASE("a list shows what its filters say") {
  const ApiFixture api;
  const TaskId plain = api.submit();
  const TaskId held = api.submit(R"({"argv":["a"],"hold":true,"name":"x y"})");
  const TaskId later = api.submit(R"({"argv":["a"],"delay_ms":60000,"labels":{"k":"v=w"}})");
  const auto list = [&](const std::string& query) {
    const Response response = api.ask(get("/v1/tasks?order=oldest&" + query));
    REQUIRE_MESSAGE(response.status == 200, response.body);
    return ids_of(response.json());
  };
  CHECK(list("state=held") == Ids{held});
  CHECK(list("state=held,scheduled") == Ids{held, later});
  CHECK(list("state=held&state=queued") == Ids{plain, held});
  CHECK(list("name=x%20y") == Ids{held});
  CHECK(list("label=k=v%3Dw") == Ids{later});
  CHECK(list("queue=default&limit=1") == Ids{plain});
  CHECK(api.ask(put("/v1/queues/other")).status == 201);
  CHECK(list("queue=other") == Ids{});
  CHECK(list("since=2000-01-01T00:00:00+02:00") == Ids{plain, held, later});
  CHECK(list("since=2999-01-01T00:00:00Z") == Ids{});
  CHECK(list("user=" + std::to_string(::geteuid())).size() == 3);
  CHECK(list("user=12345") == Ids{});
}

TEST_CASE("verbs answer with the task afterwards, or why they do not apply") {
  ApiFixture api;
  const TaskId id = api.submit();
  CHECK(api.ask(post(task(id, "/hold"), "")).json().at("state") == "held");
  CHECK(api.ask(post(task(id, "/hold"), "{}")).status == 200);
  const Response wrong = api.ask(post(task(id, "/retry"), "{}"));
  CHECK(wrong.status == 409);
  CHECK(wrong.code() == "wrong_state");
  CHECK(wrong.json().at("detail").get<std::string>().find("held") != std::string::npos);
  CHECK(api.ask(post(task(id, "/release"), "")).json().at("state") == "queued");
  CHECK(api.ask(remove(task(id))).code() == "wrong_state");
  CHECK(api.ask(post("/v1/tasks/last/cancel", "")).json().at("state") == "cancelled");
  CHECK(api.ask(post(task(id, "/retry"), "")).json().at("state") == "queued");

  const Claim claim = api.claim();
  const json cancelling = api.ask(post(task(id, "/cancel"), "")).json();
  CHECK(cancelling.at("state") == "running");
  CHECK(cancelling.at("cancel_requested_at").is_string());
  CHECK(api.ask(post(task(id, "/cancel"), "")).status == 200);
  api.finish(claim);
  CHECK(api.launcher().removed().empty());
  CHECK(api.ask(remove(task(id))).json() ==
        json{{"id", id}, {"freed_bytes", FakeLauncher::kBytesOfEach}});
  CHECK(api.launcher().removed() == std::vector<TaskId>{id});
  CHECK(api.ask(get(task(id))).status == 404);
}

TEST_CASE("bulk verbs take ids all or none, or whatever a filter finds") {
  ApiFixture api;
  for (int i = 0; i < 4; ++i) api.submit(R"({"argv":["a"],"labels":{"set":"one"}})");
  const TaskId other = api.submit();
  CHECK(api.ask(post("/v1/tasks:hold", R"({"ids":[1,2,999]})")).status == 404);
  CHECK(api.ask(get("/v1/tasks?state=held")).json().at("tasks").empty());
  const json held = api.ask(post("/v1/tasks:hold", R"({"ids":[1,2]})")).json();
  CHECK(held.at("changed") == json::parse(R"([{"id":1,"state":"held"},{"id":2,"state":"held"}])"));
  const json cancelled =
      api.ask(post("/v1/tasks:cancel", R"({"filter":{"labels":{"set":"one"},"state":["queued"]}})"))
          .json();
  CHECK(cancelled.at("changed").size() == 2);
  const json removed =
      api.ask(post("/v1/tasks:delete", R"({"filter":{"queue":"default"}})")).json();
  CHECK(removed.at("changed").size() == 2);
  CHECK(removed.at("freed_bytes") == 2 * FakeLauncher::kBytesOfEach);
  CHECK(api.launcher().removed() == std::vector<TaskId>{3, 4});
  CHECK(api.ask(get(task(other))).json().at("state") == "queued");
}

TEST_CASE("attempts and stats tell what happened") {
  const ApiFixture api;
  const TaskId id = api.submit(R"({"argv":["false"],"max_attempts":2,"backoff":{"kind":"constant",
                                   "initial_ms":0,"max_ms":0,"jitter":0}})");
  api.finish(api.claim(), 3);
  const json attempts = api.ask(get(task(id, "/attempts"))).json();
  REQUIRE(attempts.at("attempts").size() == 1);
  CHECK(attempts.at("attempts").at(0).at("number") == 1);
  CHECK(attempts.at("attempts").at(0).at("exit_code") == 3);
  CHECK(attempts.at("next_cursor").is_null());
  const json stats = api.ask(get("/v1/stats")).json();
  CHECK(stats.at("version") == "test");
  CHECK(stats.at("workers") == json::parse(R"({"total":2,"busy":1})"));
  CHECK(stats.at("queues").at(0).at("name") == "default");
  CHECK(stats.at("counts").at("running") == 0);
}

TEST_CASE("stats tell the room where output is stored, and whether it can be written") {
  const ApiFixture api;
  const json disk = api.ask(get("/v1/stats")).json().at("disk");
  CHECK(disk.at("total_bytes") > 0);
  CHECK(disk.at("free_bytes") <= disk.at("total_bytes"));
  CHECK(disk.at("writable") == true);
  std::filesystem::remove_all(api.attempts_dir());
  const json gone = api.ask(get("/v1/stats")).json().at("disk");
  CHECK(gone ==
        json::parse(R"({"total_bytes":0,"free_bytes":0,"needed_bytes":8192,"writable":false})"));
}

}  // namespace
}  // namespace taskd::test
