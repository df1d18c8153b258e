#include <unistd.h>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::string keyed(const std::string& key) {
  return json{{"argv", {"true"}}, {"key", json::parse(key)}}.dump();
}

TEST_CASE("a key is listed as documented, with what it holds back") {
  const ApiFixture api;
  CHECK(api.ask(get("/v1/keys")).json() == json{{"keys", json::array()}, {"next_cursor", nullptr}});
  for (int i = 0; i < 4; ++i) api.submit(keyed(R"({"name":"a/b é","limit":2})"));
  const Claim claim = api.claim();
  const json expected = {
      {"name", "a/b é"}, {"uid", ::getuid()}, {"limit", 2},   {"rate", nullptr},
      {"running", 1},    {"queued", 1},       {"blocked", 2}, {"next_start_at", nullptr}};
  CHECK(api.ask(get("/v1/keys")).json().at("keys") == json{expected});
  CHECK(api.ask(get("/v1/keys?name=a%2Fb%20%C3%A9&active=true")).json().at("keys").size() == 1);
  CHECK(api.ask(get("/v1/keys?name=other")).json().at("keys").empty());
  CHECK(api.ask(get("/v1/keys?user=" + std::to_string(::getuid() + 1))).json().at("keys").empty());
  api.finish(claim);
}

TEST_CASE("keys come in pages, and those without a task that runs or waits on request only") {
  const ApiFixture api;
  for (const char* name : {"a", "b", "c"}) {
    api.submit(keyed(json{{"name", name}}.dump()));
    if (*name != 'c') api.finish(api.claim());
  }
  const json page = api.ask(get("/v1/keys?limit=2")).json();
  CHECK(page.at("keys").size() == 2);
  CHECK(page.at("keys").at(0).at("name") == "c");
  const std::string cursor = page.at("next_cursor").get<std::string>();
  const json rest = api.ask(get("/v1/keys?limit=2&cursor=" + cursor)).json();
  CHECK(rest.at("keys").size() == 1);
  CHECK(rest.at("keys").at(0).at("name") == "a");
  CHECK(rest.at("next_cursor").is_null());
  CHECK(api.ask(get("/v1/keys?limit=3")).json().at("next_cursor").is_null());
  CHECK(api.ask(get("/v1/keys?active=true&cursor=" + cursor)).code() == "bad_cursor");
  const json active = api.ask(get("/v1/keys?active=true")).json();
  CHECK(active.at("keys").size() == 1);
  CHECK(active.at("keys").at(0).at("name") == "c");
}

TEST_CASE("a PATCH sets a key's limits, and null takes one away") {
  const ApiFixture api;
  api.submit(keyed(R"({"name":"k"})"));
  const Response set =
      api.ask(patch("/v1/keys?name=k", R"({"limit":3,"rate":{"count":10,"per_ms":60000}})"));
  CHECK(set.status == 200);
  CHECK(set.json().at("limit") == 3);
  CHECK(set.json().at("rate") == json{{"count", 10}, {"per_ms", 60'000}});
  const Response less = api.ask(patch("/v1/keys?name=k", R"({"limit":null})"));
  CHECK(less.json().at("limit").is_null());
  CHECK(less.json().at("rate").at("count") == 10);
  CHECK(api.ask(get("/v1/keys")).json().at("keys").at(0) == less.json());
}

TEST_CASE("a wrong change of a key is named and changes nothing") {
  const ApiFixture api;
  api.submit(keyed(R"({"name":"k","limit":2})"));
  const json before = api.ask(get("/v1/keys")).json();
  const auto refusal = [&](const std::string& query, const std::string& body) {
    const Response response = api.ask(patch("/v1/keys" + query, body));
    return std::to_string(response.status) + " " + response.code();
  };
  CHECK(refusal("", "{}") == "422 invalid_request");
  CHECK(refusal("?name=k&what=1", "{}") == "422 invalid_request");
  CHECK(refusal("?name=K", R"({"limit":1})") == "404 no_such_key");
  CHECK(refusal("?name=k&user=no-such-user", R"({"limit":1})") == "422 unknown_user");
  for (const char* body :
       {R"({"limit":0})", R"({"limit":-1})", R"({"limit":1025})", R"({"limit":"1"})",
        R"({"rate":{"count":0,"per_ms":1}})", R"({"rate":{"count":1}})", R"({"name":"x"})"}) {
    CAPTURE(body);
    CHECK(refusal("?name=k", body) == "422 invalid_request");
  }
  CHECK(refusal("?name=k", "[") == "400 bad_json");
  CHECK(
      api.ask(patch("/v1/keys?name=k", R"({"limit":0})")).json().at("errors").at(0).at("pointer") ==
      "#/limit");
  CHECK(api.ask(get("/v1/keys")).json() == before);
}

TEST_CASE("a task like another leaves the limits of their key as they are by now") {
  const ApiFixture api;
  const TaskId first = api.submit(keyed(R"({"name":"k","limit":2})"));
  api.ask(patch("/v1/keys?name=k", R"({"limit":5})"));
  const TaskId like = api.submit(json{{"like", first}}.dump());
  CHECK(api.ask(get(task(like))).json().at("key").at("name") == "k");
  CHECK(api.ask(get("/v1/keys")).json().at("keys").at(0).at("limit") == 5);
  api.submit(json{{"like", first}, {"key", {{"name", "k"}, {"limit", 3}}}}.dump());
  CHECK(api.ask(get("/v1/keys")).json().at("keys").at(0).at("limit") == 3);
}

}  // namespace
}  // namespace taskd::test
