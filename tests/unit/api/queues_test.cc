#include <sys/wait.h>
#include <unistd.h>

#include "daemon/limits/fair_share.h"
#include "tests/unit/api/api_fixture.h"
#include "wire/wire.h"

namespace taskd::test {
namespace {

using nlohmann::json;

const std::string kMail = "/v1/queues/mail";

TEST_CASE("a fresh daemon has the queue default, which looks as documented") {
  const ApiFixture api;
  const Response list = api.ask(get("/v1/queues"));
  CHECK(list.status == 200);
  CHECK(list.json() == json::parse(R"({"next_cursor": null, "queues": [{
    "name": "default", "capacity": 100000, "concurrency": null, "rate": null, "weight": 1,
    "notify": [], "defaults": {}, "paused": null, "draining": false, "counts": {"scheduled": 0, "blocked": 0, "held": 0,
    "queued": 0, "running": 0, "succeeded": 0, "failed": 0, "cancelled": 0}}]})"));
  CHECK(api.ask(get("/v1/queues/default")).json() == list.json().at("queues").at(0));
  CHECK(api.ask(get("/v1/queues?limit=3")).code() == "invalid_request");
}

TEST_CASE("a PUT makes a queue with what it names, and sets one with everything") {
  const ApiFixture api;
  const Response made = api.ask(put(
      kMail, R"({"capacity":5,"concurrency":2,"rate":{"count":10,"per_ms":60000},"weight":3})"));
  CHECK(made.status == 201);
  CHECK(made.header("Location") == kMail);
  const json mail = made.json();
  CHECK(mail.at("capacity") == 5);
  CHECK(mail.at("concurrency") == 2);
  CHECK(mail.at("rate") == json{{"count", 10}, {"per_ms", 60'000}});
  CHECK(mail.at("weight") == 3);
  CHECK(api.ask(get(kMail)).json() == mail);

  const Response again = api.ask(put(kMail, R"({"weight":4})"));
  CHECK(again.status == 200);
  CHECK(again.json().at("capacity") == 100'000);
  CHECK(again.json().at("concurrency").is_null());
  CHECK(again.json().at("rate").is_null());
  CHECK(again.json().at("weight") == 4);
  CHECK(api.ask(put(kMail)).json().at("weight") == 1);
}

TEST_CASE("a PATCH changes what it names of a queue that is there, and null takes a limit away") {
  const ApiFixture api;
  const Response missing = api.ask(patch(kMail, R"({"weight":2})"));
  CHECK(missing.status == 404);
  CHECK(missing.code() == "no_such_queue");
  CHECK(missing.json().at("detail") == "there is no queue \"mail\"");
  CHECK(api.ask(put(kMail, R"({"concurrency":2,"rate":{"count":1,"per_ms":5}})")).status == 201);
  const Response changed = api.ask(patch(kMail, R"({"capacity":0,"concurrency":null})"));
  CHECK(changed.status == 200);
  CHECK(changed.json().at("capacity") == 0);
  CHECK(changed.json().at("concurrency").is_null());
  CHECK(changed.json().at("rate") == json{{"count", 1}, {"per_ms", 5}});
  CHECK(api.ask(patch(kMail, "{}")).json() == changed.json());
}

TEST_CASE("settings that cannot be are refused, every one named, and change nothing") {
  const ApiFixture api;
  struct Case {
    const char* body;
    const char* pointer;
    const char* detail;
  };
  const Case cases[] = {
      {R"({"capacity":-1})", "#/capacity", "must be from 0 to 1000000000"},
      {R"({"capacity":1000000001})", "#/capacity", "must be from 0 to 1000000000"},
      {R"({"capacity":1.5})", "#/capacity", "must be an integer"},
      {R"({"capacity":null})", "#/capacity", "must not be null; leave it out"},
      {R"({"concurrency":0})", "#/concurrency", "must be from 1 to 100000"},
      {R"({"concurrency":"2"})", "#/concurrency", "must be an integer"},
      {R"({"rate":"10/1m"})", "#/rate", "must be an object or null"},
      {R"({"rate":{"count":1}})", "#/rate", "both \"count\" and \"per_ms\" are needed"},
      {R"({"rate":{"count":0,"per_ms":1}})", "#/rate/count", "must be from 1 to 1000000"},
      {R"({"rate":{"count":1,"per_ms":0}})", "#/rate/per_ms", "must be from 1 to 31622400000"},
      {R"({"rate":{"count":1,"per_ms":1,"burst":2}})", "#/rate/burst",
       "must be at most \"count\""},
      {R"({"weight":0})", "#/weight", "must be from 1 to 1000"},
      {R"({"weight":1001})", "#/weight", "must be from 1 to 1000"},
      {R"({"weigth":1})", "#/weigth", "unknown field; did you mean \"weight\"?"},
      {R"({"name":"mail"})", "#/name", "unknown field"},
  };
  CHECK(api.ask(put("/v1/queues/there")).status == 201);
  for (const Case& c : cases) {
    CAPTURE(c.body);
    for (const Response& wrong :
         {api.ask(put(kMail, c.body)), api.ask(patch("/v1/queues/there", c.body))}) {
      CHECK(wrong.status == 422);
      CHECK(wrong.code() == "invalid_request");
      const json errors = wrong.json().at("errors");
      REQUIRE(errors.size() == 1);
      CHECK(errors[0].at("pointer") == c.pointer);
      CHECK(errors[0].at("detail") == c.detail);
    }
  }
  CHECK(api.ask(put(kMail, R"({"capacity":-1,"weight":0,"x":1})")).json().at("errors").size() == 3);
  CHECK(api.ask(put(kMail, "[]")).code() == "bad_json");
  CHECK(api.ask(put(kMail, "")).code() == "bad_json");
  CHECK(api.ask(get(kMail)).status == 404);
}

TEST_CASE("the largest settings are taken") {
  const ApiFixture api;
  const json largest = {{"capacity", kMaxQueueCapacity},
                        {"concurrency", kMaxConcurrency},
                        {"rate", {{"count", kMaxRateCount}, {"per_ms", kMaxRatePerMs}}},
                        {"weight", kMaxWeight}};
  const json answer = api.ask(put(kMail, largest.dump())).json();
  for (const auto& [name, value] : largest.items()) CHECK(answer.at(name) == value);
}

TEST_CASE("a queue's name is checked before the queue is made") {
  const ApiFixture api;
  for (const std::string& name : {std::string("-x"), std::string("a$b"), std::string(65, 'q')}) {
    CAPTURE(name);
    const Response wrong = api.ask(put("/v1/queues/" + name));
    CHECK(wrong.status == 422);
    CHECK(wrong.code() == "invalid_request");
    CHECK(api.ask(patch("/v1/queues/" + name, "{}")).status == 422);
    CHECK(api.ask(get("/v1/queues/" + name)).code() == "no_such_queue");
  }
  CHECK(api.ask(put("/v1/queues/" + std::string(64, 'q'))).status == 201);
  CHECK(api.ask(put("/v1/queues/")).status == 404);
  CHECK(api.ask(get("/v1/queues/a/b")).code() == "no_such_path");
}

TEST_CASE("a paused queue says since when, by whom and why, until it is resumed") {
  const ApiFixture api;
  CHECK(api.ask(put(kMail)).status == 201);
  const Response paused = api.ask(post(kMail + "/pause", R"({"reason":"relay is down"})"));
  CHECK(paused.status == 200);
  const json pause = paused.json().at("paused");
  CHECK(pause.at("reason") == "relay is down");
  CHECK(pause.at("user") == ::geteuid());
  CHECK(pause.at("at").get<std::string>().ends_with("Z"));
  CHECK(api.ask(get(kMail)).json() == paused.json());
  const Response submitted = api.ask(post("/v1/tasks", R"({"argv":["true"],"queue":"mail"})"));
  CHECK(submitted.status == 201);
  CHECK(api.store().claim(1).claims.empty());

  const Response resumed = api.ask(post(kMail + "/resume", ""));
  CHECK(resumed.json().at("paused").is_null());
  CHECK(api.claim().task == submitted.json().at("id").get<TaskId>());
  CHECK(api.ask(post(kMail + "/pause", "")).json().at("paused").at("reason") == "");
  CHECK(api.ask(post(kMail + "/pause", "{}")).status == 200);
}

TEST_CASE("a reason that is too long or could steer a terminal is refused") {
  const ApiFixture api;
  CHECK(api.ask(put(kMail)).status == 201);
  const auto pause = [&](const std::string& reason) {
    return api.ask(post(kMail + "/pause", json{{"reason", reason}}.dump()));
  };
  CHECK(pause(std::string(kMaxPauseReasonBytes, 'x')).status == 200);
  CHECK(pause(std::string(kMaxPauseReasonBytes + 1, 'x')).status == 422);
  CHECK(pause("\x1b[31m").status == 422);
  CHECK(api.ask(post(kMail + "/pause", R"({"reason":1})")).status == 422);
  CHECK(api.ask(post(kMail + "/pause", R"({"why":"x"})")).status == 422);
  CHECK(api.ask(post(kMail + "/resume", R"({"reason":"x"})")).status == 422);
  CHECK(api.ask(post(kMail + "/drain", R"({"reason":"x"})")).status == 422);
}

TEST_CASE("a draining queue refuses submits and retries for good, and runs what it holds") {
  const ApiFixture api;
  CHECK(api.ask(put(kMail)).status == 201);
  const std::string submit = post("/v1/tasks", R"({"argv":["true"],"queue":"mail"})");
  CHECK(api.ask(submit).status == 201);
  CHECK(api.ask(submit).status == 201);
  CHECK(api.ask(post("/v1/tasks/1/cancel", "")).status == 200);
  CHECK(api.ask(post(kMail + "/drain", "")).json().at("draining") == true);
  for (const std::string& request : {submit, post("/v1/tasks/1/retry", ""),
                                     post("/v1/tasks:retry", R"({"filter":{"queue":"mail"}})")}) {
    const Response refused = api.ask(request);
    CHECK(refused.status == 503);
    CHECK(refused.code() == "queue_draining");
    CHECK(refused.json().at("detail") == "queue \"mail\" is draining and takes no new tasks");
    CHECK(refused.header("Retry-After") == "");
  }
  CHECK(api.claim().task == 2);
  CHECK(api.ask(post(kMail + "/resume", "")).json().at("draining") == false);
  CHECK(api.ask(submit).status == 201);
}

TEST_CASE("a queue is removed once it has no tasks, and default never") {
  const ApiFixture api;
  CHECK(api.ask(put(kMail)).status == 201);
  CHECK(api.ask(post("/v1/tasks", R"({"argv":["true"],"queue":"mail"})")).status == 201);
  CHECK(api.ask(post("/v1/tasks", R"({"argv":["true"],"queue":"mail"})")).status == 201);
  CHECK(api.ask(post("/v1/tasks/1/cancel", "")).status == 200);
  const Response waiting = api.ask(remove(kMail));
  CHECK(waiting.status == 409);
  CHECK(waiting.code() == "queue_in_use");
  CHECK(waiting.json().at("detail") ==
        "queue \"mail\" still has tasks (1 queued, 1 cancelled); \"taskctl cancel --queue mail\" "
        "ends them, \"taskctl rm --queue mail\" removes those that have ended");
  CHECK(api.ask(post("/v1/tasks/2/cancel", "")).status == 200);
  CHECK(api.ask(remove(kMail)).json().at("detail") ==
        "queue \"mail\" still has tasks (2 cancelled); \"taskctl rm --queue mail\" removes those "
        "that have ended");
  CHECK(api.ask(post("/v1/tasks:delete", R"({"filter":{"queue":"mail"}})")).status == 200);
  const Response removed = api.ask(remove(kMail));
  CHECK(removed.status == 200);
  CHECK(removed.json() == json{{"name", "mail"}});
  CHECK(api.ask(remove(kMail)).code() == "no_such_queue");
  CHECK(api.ask(post("/v1/tasks", R"({"argv":["true"],"queue":"mail"})")).code() ==
        "unknown_queue");
  const Response none = api.ask(remove("/v1/queues/default"));
  CHECK(none.code() == "queue_in_use");
  CHECK(none.json().at("detail") == "the queue \"default\" cannot be removed");
}

TEST_CASE("verbs of a queue that is not there answer 404, and other methods 405") {
  const ApiFixture api;
  for (const char* verb : {"/pause", "/resume", "/drain"}) {
    CHECK(api.ask(post(kMail + verb, "")).code() == "no_such_queue");
  }
  CHECK(api.ask(get(kMail)).code() == "no_such_queue");
  const Response posted = api.ask(post(kMail, "{}"));
  CHECK(posted.status == 405);
  CHECK(posted.header("Allow") == "GET, HEAD, PUT, PATCH, DELETE");
  CHECK(api.ask(put("/v1/queues")).header("Allow") == "GET, HEAD");
}

TEST_CASE("everybody sees the queues and all counts, but only an admin changes them" *
          doctest::skip(::geteuid() != 0)) {
  const ApiFixture api;
  CHECK(api.ask(put(kMail)).status == 201);
  CHECK(api.ask(post("/v1/tasks", R"({"argv":["true"],"queue":"mail"})")).status == 201);
  const std::string path = api.socket_path();
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto ask = [&](const std::string& request) {
      RawClient client(path);
      client.send(request);
      return client.receive();
    };
    const auto refused = [&](const std::string& request) {
      const Response response = ask(request);
      return response.status == 403 && response.code() == "not_allowed";
    };
    bool good = ask(get("/v1/queues")).status == 200 &&
                ask(get(kMail)).json().at("counts").at("queued") == 1;
    for (const char* verb : {"/pause", "/resume", "/drain"}) {
      good = good && refused(post(kMail + verb, ""));
    }
    good = good && refused(put(kMail)) && refused(put("/v1/queues/new")) &&
           refused(patch(kMail, "{}")) && refused(remove(kMail)) &&
           refused(remove("/v1/queues/none"));
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

TEST_CASE("a queue comes back from its JSON as it was") {
  QueueInfo queue;
  queue.settings = {"mail", 7, 2, RateLimit{3, 4000, 2}, 5};
  queue.paused = QueuePause{{1'772'366'400'001}, 1000, "why"};
  queue.draining = true;
  for (std::size_t i = 0; i < std::size(queue.counts); ++i)
    queue.counts[i] = static_cast<std::int64_t>(i);
  CHECK(queue_to_json(queue_from_json(queue_to_json(queue))) == queue_to_json(queue));
  QueueInfo plain;
  plain.settings.name = "q";
  CHECK(queue_to_json(queue_from_json(queue_to_json(plain))) == queue_to_json(plain));
  CHECK_THROWS_AS(queue_from_json(json::object()), std::runtime_error);
  CHECK_THROWS_AS(queue_from_json(json::array()), std::runtime_error);
}

}  // namespace
}  // namespace taskd::test
