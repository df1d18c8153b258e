// One mistake has one answer, wherever it is made: 422 with `errors` that name the place.
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

struct Parameter {
  const char* path;
  const char* name;
  std::vector<const char*> wrong;
};

const std::vector<const char*> kNoLimits = {"0", "-1", "1001", "x", "1.5", "99999999999999999999",
                                            ""};

// Every parameter of every GET, with values that it cannot have.
std::vector<Parameter> parameters() {
  return {{"/v1/tasks", "limit", kNoLimits},
          {"/v1/tasks", "cursor", {"x", "1-2", ""}},
          {"/v1/tasks", "order", {"up", ""}},
          {"/v1/tasks", "state", {"lost", "", "queued,", "Queued"}},
          {"/v1/tasks", "reason", {"bored", ""}},
          {"/v1/tasks", "dead", {"yes", "1", ""}},
          {"/v1/tasks", "queue", {"nope", ""}},
          {"/v1/tasks", "user", {"no-such-user", "-1", ""}},
          {"/v1/tasks", "array", {"0", "x", "99"}},
          {"/v1/tasks", "workflow", {"0", "x", "99"}},
          {"/v1/tasks", "key", {"nope", "%23x", ""}},
          {"/v1/tasks", "label", {"x", ""}},
          {"/v1/tasks", "since", {"yesterday", "2026-01-01", ""}},
          {"/v1/tasks", "until", {"7d"}},
          {"/v1/tasks", "ended_since", {"x"}},
          {"/v1/tasks", "ended_before", {"x"}},
          {"/v1/tasks/1/wait", "timeout_ms", {"-1", "600001", "x"}},
          {"/v1/tasks/1/logs", "stream", {"both", ""}},
          {"/v1/tasks/1/logs", "attempt", {"0", "x"}},
          {"/v1/tasks/1/logs", "offset", {"-1", "x"}},
          {"/v1/tasks/1/logs", "tail", {"-1", "x"}},
          {"/v1/tasks/1/logs", "follow", {"yes"}},
          {"/v1/tasks/1/attempts", "limit", kNoLimits},
          {"/v1/tasks/1/attempts", "cursor", {"x"}},
          {"/v1/tasks/1/deliveries", "limit", kNoLimits},
          {"/v1/tasks/1/deliveries", "cursor", {"x"}},
          {"/v1/workflows", "limit", kNoLimits},
          {"/v1/workflows", "cursor", {"x"}},
          {"/v1/keys", "limit", kNoLimits},
          {"/v1/keys", "cursor", {"x"}},
          {"/v1/keys", "active", {"maybe"}},
          {"/v1/keys", "user", {"no-such-user"}},
          {"/v1/schedules/s/preview", "from", {"tomorrow"}},
          {"/v1/schedules/s/preview", "limit", kNoLimits}};
}

void check_named(const Response& response, const std::string& parameter) {
  CHECK(response.status == 422);
  const nlohmann::json problem = response.json();
  REQUIRE(problem.contains("errors"));
  CHECK(problem.at("errors").at(0).at("parameter") == parameter);
  CHECK(!problem.at("errors").at(0).at("detail").get<std::string>().empty());
}

TEST_CASE("a wrong value of a query's parameter is 422, and its errors name it") {
  const ApiFixture api;
  api.submit();
  CHECK(
      api.ask(put("/v1/schedules/s", R"({"every_ms":3600000,"task":{"argv":["true"]}})")).status ==
      201);
  for (const Parameter& parameter : parameters()) {
    for (const char* wrong : parameter.wrong) {
      const std::string target = std::string(parameter.path) + "?" + parameter.name + "=" + wrong;
      CAPTURE(target);
      check_named(api.ask(get(target)), parameter.name);
    }
    const std::string name = parameter.name;
    if (name == "state" || name == "reason" || name == "label") continue;  // lists
    const std::string twice = std::string(parameter.path) + "?" + name + "=1&" + name + "=1";
    CAPTURE(twice);
    check_named(api.ask(get(twice)), name);
  }
}

TEST_CASE("a parameter that a path does not know is 422, and its errors name it") {
  const ApiFixture api;
  api.submit();
  CHECK(
      api.ask(put("/v1/schedules/s", R"({"every_ms":3600000,"task":{"argv":["true"]}})")).status ==
      201);
  for (const char* path :
       {"/v1/tasks", "/v1/tasks/1", "/v1/tasks/1/wait", "/v1/tasks/1/logs", "/v1/tasks/1/attempts",
        "/v1/tasks/1/deliveries", "/v1/tasks/1/why", "/v1/tasks/1/result", "/v1/workflows",
        "/v1/workflows/1", "/v1/queues/default", "/v1/keys", "/v1/schedules/s",
        "/v1/schedules/s/preview", "/v1/hooks", "/v1/handlers", "/v1/stats", "/v1/healthz"}) {
    CAPTURE(path);
    check_named(api.ask(get(std::string(path) + "?colour=red")), "colour");
  }
  for (const char* path : {"/v1/tasks", "/v1/tasks:cancel", "/v1/tasks/1/cancel", "/v1/workflows",
                           "/v1/queues/default/pause", "/v1/schedules/s/trigger"}) {
    CAPTURE(path);
    check_named(api.ask(post(std::string(path) + "?colour=red", "{}")), "colour");
  }
}

TEST_CASE("what a filter cannot mean is the same mistake in a query and in a body") {
  const ApiFixture api;
  const char* both[][3] = {{"state", "lost", R"({"state":["lost"]})"},
                           {"queue", "nope", R"({"queue":"nope"})"},
                           {"user", "no-such-user", R"({"user":"no-such-user"})"},
                           {"since", "x", R"({"since":"x"})"},
                           {"workflow", "7", R"({"workflow":7})"},
                           {"array", "7", R"({"array":7})"},
                           {"key", "nope", R"({"key":"nope"})"},
                           {"colour", "red", R"({"colour":"red"})"}};
  for (const auto& [word, value, filter] : both) {
    CAPTURE(word);
    const Response query = api.ask(get("/v1/tasks?" + std::string(word) + "=" + value));
    const Response body =
        api.ask(post("/v1/tasks:cancel", R"({"filter":)" + std::string(filter) + "}"));
    CHECK(query.status == 422);
    CHECK(body.status == 422);
    CHECK(query.code() == body.code());
    CHECK(query.json().at("errors").at(0).contains("parameter"));
    CHECK(body.json().at("errors").at(0).contains("pointer"));
  }
}

TEST_CASE("a query that cannot be read is 400, as a body that is no JSON") {
  const ApiFixture api;
  for (const char* query : {"limit", "limit=1&&order=newest", "name=%00", "name=%ff"}) {
    CAPTURE(query);
    const Response response = api.ask(get("/v1/tasks?" + std::string(query)));
    CHECK(response.status == 400);
    CHECK(response.code() == "bad_query");
  }
}

}  // namespace
}  // namespace taskd::test
