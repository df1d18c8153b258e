// The words of a filter, in queries and in bodies.
#include <map>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

constexpr const char* kLongAgo = "2000-01-01T00:00:00Z";
constexpr const char* kFarOff = "2999-01-01T00:00:00Z";

std::vector<TaskId> list(const ApiFixture& api, const std::string& query) {
  const Response response = api.ask(get("/v1/tasks?order=oldest&" + query));
  REQUIRE_MESSAGE(response.status == 200, response.body);
  std::vector<TaskId> ids;
  const json answer = response.json();
  for (const json& task : answer.at("tasks")) ids.push_back(task.at("id"));
  return ids;
}

json dry_run(const ApiFixture& api, const std::string& verb, const json& filter) {
  const Response response =
      api.ask(post("/v1/tasks:" + verb, json{{"filter", filter}, {"dry_run", true}}.dump()));
  REQUIRE_MESSAGE(response.status == 200, response.body);
  return response.json();
}

TEST_CASE("a list and a bulk verb know the same words") {
  const ApiFixture api;
  api.ask(post("/v1/tasks", R"({"argv":["a"],"array":{"first":1,"last":2}})"));    // 1 and 2
  api.submit(R"({"argv":["a"],"key":{"name":"k","limit":5}})");                    // 3
  api.ask(post("/v1/workflows", R"({"chain":[{"argv":["a"]},{"argv":["a"]}]})"));  // 4 and 5
  api.submit(R"({"argv":["a"],"depends_on":[{"array":1,"index":1}]})");            // 6
  api.finish(api.claim(), 3);                                                      // 1, and so 6
  const std::map<std::string, std::pair<json, Ids>> words = {
      {"array=1", {{{"array", 1}}, {1, 2}}},
      {"workflow=1", {{{"workflow", 1}}, {4, 5}}},
      {"key=k", {{{"key", "k"}}, {3}}},
      {"reason=exit", {{{"reason", {"exit"}}}, {1}}},
      {"reason=exit,dependency", {{{"reason", {"exit", "dependency"}}}, {1, 6}}},
      {"reason=exit&state=queued", {{{"reason", {"exit"}}, {"state", {"queued"}}}, {}}},
      {"dead=true", {{{"dead", true}}, {1}}},
      {"dead=false&array=1", {{{"dead", false}, {"array", 1}}, {1, 2}}},
      {std::string("until=") + kLongAgo, {{{"until", kLongAgo}}, {}}},
      {std::string("until=") + kFarOff + "&array=1", {{{"until", kFarOff}, {"array", 1}}, {1, 2}}},
      {std::string("ended_since=") + kLongAgo, {{{"ended_since", kLongAgo}}, {1, 6}}},
      {std::string("ended_since=") + kFarOff, {{{"ended_since", kFarOff}}, {}}},
      {std::string("ended_before=") + kFarOff, {{{"ended_before", kFarOff}}, {1, 6}}},
      {std::string("ended_before=") + kLongAgo, {{{"ended_before", kLongAgo}}, {}}},
  };
  for (const auto& entry : words) {
    const std::string& query = entry.first;
    const auto& expected = entry.second;
    CAPTURE(query);
    CHECK(list(api, query) == expected.second);
    // Of ended and waiting tasks together no verb takes all: a removal and a cancel share them.
    Ids found = dry_run(api, "delete", expected.first).at("ids");
    const Ids waiting = dry_run(api, "cancel", expected.first).at("ids");
    found.insert(found.end(), waiting.begin(), waiting.end());
    std::sort(found.begin(), found.end());
    CHECK(found == expected.second);
  }
}

TEST_CASE("wrong words of a filter are named, in a query and in a body") {
  const ApiFixture api;
  struct Wrong {
    const char* query;
    const char* body;
    const char* word;
    const char* pointer;
  };
  const std::string crossed =
      std::string(R"({"since":")") + kFarOff + R"(","until":")" + kLongAgo + "\"}";
  const std::string crossed_ends =
      std::string(R"({"ended_since":")") + kFarOff + R"(","ended_before":")" + kLongAgo + "\"}";
  for (const Wrong& wrong : std::vector<Wrong>{
           {"reason=bored", R"({"reason":["bored"]})", "reason", "#/filter/reason/0"},
           {"reason=exit,", R"({"reason":["exit",""]})", "reason", "#/filter/reason/1"},
           {"dead=yes", R"({"dead":"yes"})", "dead", "#/filter/dead"},
           {"dead=true&reason=exit", R"({"dead":true,"reason":["exit"]})", "dead", "#/filter/dead"},
           {"array=0", R"({"array":0})", "array", "#/filter/array"},
           {"array=x", R"({"array":"x"})", "array", "#/filter/array"},
           {"workflow=-1", R"({"workflow":-1})", "workflow", "#/filter/workflow"},
           {"key=", R"({"key":""})", "key", "#/filter/key"},
           {"key=%23array1", R"({"key":"#array1"})", "key", "#/filter/key"},
           {"until=yesterday", R"({"until":"yesterday"})", "until", "#/filter/until"},
           {"ended_before=7d", R"({"ended_before":"7d"})", "ended_before", "#/filter/ended_before"},
           {"since=2999-01-01T00:00:00Z&until=2000-01-01T00:00:00Z", crossed.c_str(), "since",
            "#/filter/since"},
           {"ended_since=2999-01-01T00:00:00Z&ended_before=2000-01-01T00:00:00Z",
            crossed_ends.c_str(), "ended_since", "#/filter/ended_since"}}) {
    CAPTURE(wrong.query);
    const Response query = api.ask(get("/v1/tasks?" + std::string(wrong.query)));
    CHECK(query.status == 422);
    CHECK(query.code() == "invalid_request");
    const json problem = query.json();
    CHECK(problem.at("detail").get<std::string>().find('"' + std::string(wrong.word) + '"') !=
          std::string::npos);
    const Response body =
        api.ask(post("/v1/tasks:cancel", R"({"filter":)" + std::string(wrong.body) + "}"));
    CHECK(body.status == 422);
    CHECK(body.code() == "invalid_request");
    CHECK(body.json().at("errors").at(0).at("pointer") == wrong.pointer);
  }
  CHECK(api.ask(get("/v1/tasks?label=a%3Db&label=a%3Dc")).code() == "invalid_request");
}

TEST_CASE("a name in a filter that nothing has is refused, in a query and in each verb") {
  const ApiFixture api;
  api.submit(R"({"argv":["a"],"key":{"name":"k","limit":5}})");
  struct Unknown {
    const char* word;
    json name;
    const char* code;
  };
  for (const Unknown& unknown : {Unknown{"queue", "mial", "unknown_queue"},
                                 {"user", "no-such-user-here", "unknown_user"},
                                 {"key", "none", "unknown_key"},
                                 {"workflow", 77, "unknown_workflow"},
                                 {"array", 77, "unknown_array"}}) {
    CAPTURE(unknown.word);
    const std::string name = unknown.name.is_string() ? unknown.name.get<std::string>() : "77";
    const Response query = api.ask(get("/v1/tasks?" + std::string(unknown.word) + "=" + name));
    CHECK(query.status == 422);
    CHECK(query.code() == unknown.code);
    const json error = query.json().at("errors").at(0);
    CHECK(error.at("parameter") == unknown.word);
    CHECK(error.at("detail").get<std::string>().find(name) != std::string::npos);
    CHECK_FALSE(error.contains("pointer"));
    const json filter = {{unknown.word, unknown.name}};
    for (const std::string verb :
         {"cancel", "retry", "hold", "release", "delete", "move", "signal"}) {
      json body = {{"filter", filter}};
      if (verb == "move") body["queue"] = "default";
      if (verb == "signal") body["signal"] = "USR1";
      for (const bool dry : {false, true}) {
        body["dry_run"] = dry;
        const Response response = api.ask(post("/v1/tasks:" + verb, body.dump()));
        CHECK(response.status == 422);
        CHECK(response.code() == unknown.code);
        CHECK(response.json().at("errors").at(0).at("pointer") ==
              "#/filter/" + std::string(unknown.word));
      }
    }
  }
}

TEST_CASE("a cursor goes on with its own filter alone") {
  const ApiFixture api;
  for (int i = 0; i < 3; ++i) api.submit();
  const json page = api.ask(get("/v1/tasks?limit=1&until=2999-01-01T00:00:00Z")).json();
  const std::string cursor = page.at("next_cursor");
  CHECK(api.ask(get("/v1/tasks?until=2999-01-01T00:00:00Z&cursor=" + cursor)).status == 200);
  CHECK(api.ask(get("/v1/tasks?until=2999-01-02T00:00:00Z&cursor=" + cursor)).code() ==
        "bad_cursor");
  CHECK(api.ask(get("/v1/tasks?dead=true&cursor=" + cursor)).code() == "bad_cursor");
}

TEST_CASE("a dry run tells what a verb would do and changes nothing") {
  const ApiFixture api;
  for (int i = 0; i < 3; ++i) api.submit();
  const TaskId held = api.submit(R"({"argv":["a"],"hold":true})");
  CHECK(dry_run(api, "cancel", json::object()) ==
        json::parse(R"({"dry_run":true,"count":4,"ids":[4,3,2,1],"full_queue":null,"unchanged":[],
            "counts":[{"queue":"default","state":"held","count":1},
                      {"queue":"default","state":"queued","count":3}]})"));
  CHECK(dry_run(api, "release", json::object()).at("ids") == json{held});
  CHECK(dry_run(api, "retry", json::object()).at("count") == 0);
  CHECK(list(api, "state=queued").size() == 3);
  CHECK(api.ask(post("/v1/tasks:signal", R"({"signal":"HUP","filter":{},"dry_run":true})"))
            .json()
            .at("count") == 0);
  CHECK(api.ask(post("/v1/tasks:hold", R"({"ids":[1,2],"dry_run":true})")).json().at("count") == 2);
  CHECK(api.ask(post("/v1/tasks:retry", R"({"ids":[1],"dry_run":true})")).code() == "wrong_state");
  CHECK(api.ask(post("/v1/tasks:hold", R"({"ids":[99],"dry_run":true})")).code() == "no_such_task");
  CHECK(api.ask(post("/v1/tasks:move", R"({"ids":[1],"queue":"none","dry_run":true})")).code() ==
        "unknown_queue");
  CHECK(api.ask(post("/v1/tasks:hold", R"({"ids":[1],"dry_run":1})"))
            .json()
            .at("errors")
            .at(0)
            .at("pointer") == "#/dry_run");
  CHECK(list(api, "state=queued").size() == 3);
}

TEST_CASE("an empty list in a filter does not mean everything") {
  const ApiFixture api;
  api.submit();
  for (const std::string word : {"state", "reason"}) {
    const Response response =
        api.ask(post("/v1/tasks:cancel", R"({"filter":{")" + word + R"(":[]}})"));
    CHECK(response.status == 422);
    CHECK(response.json().at("errors").at(0).at("pointer") == "#/filter/" + word);
  }
  CHECK(list(api, "state=queued").size() == 1);
}

TEST_CASE("nothing is removed by a filter that names nothing") {
  const ApiFixture api;
  api.submit();
  api.finish(api.claim(), 0);
  for (const char* filter : {"{}", R"({"state":[]})", R"({"labels":{}})", R"({"dead":false})"}) {
    CAPTURE(filter);
    const Response response =
        api.ask(post("/v1/tasks:delete", R"({"filter":)" + std::string(filter) + "}"));
    CHECK(response.code() == "invalid_request");
  }
  CHECK(list(api, "state=succeeded").size() == 1);
}

TEST_CASE("more tasks than a queue ever takes cannot be moved there, and that is said") {
  const ApiFixture api;
  api.ask(put("/v1/queues/small", R"({"capacity":2})"));
  for (int i = 0; i < 3; ++i) api.submit(R"({"argv":["a"],"hold":true})");
  const Response refused = api.ask(post("/v1/tasks:move", R"({"queue":"small","ids":[1,2,3]})"));
  CHECK(refused.status == 422);
  CHECK(refused.code() == "does_not_fit");
  CHECK(refused.json().at("detail") ==
        "queue \"small\" takes at most 2 waiting tasks, but these are 3; submit fewer at once, or "
        "raise its capacity");
  CHECK(api.ask(post("/v1/tasks:move", R"({"queue":"small","ids":[1,2]})")).status == 200);
  CHECK(api.ask(post("/v1/tasks:move", R"({"queue":"small","ids":[3]})")).code() == "queue_full");
}

}  // namespace
}  // namespace taskd::test
