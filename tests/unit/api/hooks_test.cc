#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

std::vector<Hook> hooks() {
  Hook command;
  command.name = "cmd";
  command.command = {"/bin/sh", "-c", "echo oops >&2; exit 3"};
  Hook web;
  web.name = "web";
  web.url = "http://127.0.0.1:1/a/secret/path";
  web.secret = "0123456789abcdef";
  web.on = {HookEvent::failed};
  return {command, web};
}

struct HooksFixture : ApiFixture {
  HooksFixture() : ApiFixture({}, hooks()) {}
};

}  // namespace

TEST_CASE("hooks are listed with what waits for them and what was given up") {
  const HooksFixture api;
  const json list = api.ask(get("/v1/hooks")).json();
  CHECK(list.at("next_cursor").is_null());
  CHECK(list.at("hooks") ==
        json::parse(
            R"([{"name":"cmd","kind":"command","command":["/bin/sh","-c","echo oops >&2; exit 3"],
            "url":null,"signed":false,"on":["succeeded","failed","cancelled"],"timeout_ms":10000,
            "max_age_ms":86400000,"max_attempts":null,"pending":0,"failed":0,"last_error":null,
            "last_error_at":null},
            {"name":"web","kind":"url","command":null,"url":"http://127.0.0.1:1/a/secret/path",
            "signed":true,"on":["failed"],"timeout_ms":10000,"max_age_ms":86400000,
            "max_attempts":null,"pending":0,"failed":0,"last_error":null,"last_error_at":null}])"));
  api.submit(R"({"argv":["true"],"notify":["cmd:submitted"]})");
  api.notifier().run_once(0);
  const json hook = api.ask(get("/v1/hooks")).json().at("hooks").at(0);
  CHECK(hook.at("pending") == 1);
  CHECK(hook.at("last_error") == "exit code 3");
  CHECK(hook.at("last_error_at").is_string());
}

TEST_CASE("a task's deliveries are listed in pages, in the order of its changes") {
  const HooksFixture api;
  const TaskId id =
      api.submit(R"({"argv":["true"],"notify":["cmd:submitted,started,failed","web"]})");
  api.finish(api.claim(), 1);
  const std::string target = "/v1/tasks/" + std::to_string(id) + "/deliveries";
  const json all = api.ask(get(target)).json();
  CHECK(all.at("deliveries").size() == 4);
  json paged = json::array();
  std::string cursor;
  do {
    const json page = api.ask(get(target + "?limit=1" + cursor)).json();
    for (const json& one : page.at("deliveries")) paged.push_back(one);
    const json& next = page.at("next_cursor");
    cursor = next.is_null() ? "" : "&cursor=" + next.get<std::string>();
  } while (!cursor.empty());
  CHECK(paged == all.at("deliveries"));
  const json& first = paged.at(0);
  CHECK(first.at("hook") == "cmd");
  CHECK(first.at("event") == "submitted");
  CHECK(first.at("state") == "pending");
  CHECK(first.at("tries") == 0);
  CHECK(first.at("error").is_null());
  CHECK(first.at("next_at").is_string());
  CHECK(paged.at(1).at("event") == "started");
  CHECK(paged.at(1).at("next_at").is_null());
  CHECK(api.ask(get("/v1/tasks/99/deliveries")).status == 404);
}

TEST_CASE("a notify that cannot be is refused with its place, and nothing is stored") {
  const HooksFixture api;
  const auto errors_of = [&](const std::string& request) {
    const Response response = api.ask(request);
    CHECK_MESSAGE(response.status == 422, response.body);
    return response.json().at("errors");
  };
  const json unknown = errors_of(post(
      "/v1/tasks", R"({"tasks":[{"argv":["true"]},{"argv":["true"],"notify":["web","nobody"]}]})"));
  CHECK(unknown.at(0).at("pointer") == "#/tasks/1/notify/1");
  CHECK(unknown.at(0).at("detail") ==
        "there is no hook \"nobody\"; the daemon's configuration declares them");
  const std::pair<const char*, const char*> rows[] = {{R"("web")", "#/notify"},
                                                      {R"([1])", "#/notify/0"},
                                                      {R"(["web:"])", "#/notify/0"},
                                                      {R"(["web:exploded"])", "#/notify/0"},
                                                      {R"(["web","web"])", "#/notify/1"},
                                                      {R"([""])", "#/notify/0"},
                                                      {R"(["a b"])", "#/notify/0"},
                                                      {R"(null)", "#/notify"},
                                                      {R"(["web:failed,"])", "#/notify/0"}};
  for (const auto& [notify, pointer] : rows) {
    CAPTURE(notify);
    const json errors =
        errors_of(post("/v1/tasks", std::string(R"({"argv":["true"],"notify":)") + notify + "}"));
    CHECK(errors.at(0).at("pointer") == pointer);
  }
  json many = json::array();
  for (int i = 0; i < 17; ++i) many.push_back("h" + std::to_string(i));
  CHECK(errors_of(post("/v1/tasks", json{{"argv", {"true"}}, {"notify", many}}.dump()))
            .at(0)
            .at("detail") == "must have at most 16 items");
  const auto with = [](const std::string& method, const std::string& request) {
    return method + request.substr(4);
  };
  CHECK(errors_of(with("PUT", post("/v1/queues/q", R"({"notify":["nobody"]})")))
            .at(0)
            .at("pointer") == "#/notify/0");
  CHECK(errors_of(with("PUT", post("/v1/schedules/s",
                                   R"({"every_ms":1000,"task":{"argv":["a"],"notify":["no"]}})")))
            .at(0)
            .at("pointer") == "#/task/notify/0");
  CHECK(api.rows() == 0);
  CHECK(api.ask(get("/v1/queues/q")).status == 404);
}

TEST_CASE("a hook is tested by a request that says what came of it") {
  const HooksFixture api;
  const json answer = api.ask(post("/v1/hooks/cmd/test", "")).json();
  CHECK(answer.at("delivered") == false);
  CHECK(answer.at("error") == "exit code 3");
  CHECK(answer.at("stderr") == "oops\n");
  CHECK(api.ask(post("/v1/hooks/web/test", "{}")).json().at("error") ==
        "cannot connect: Connection refused");
  CHECK(api.ask(post("/v1/hooks/nobody/test", "")).code() == "no_such_hook");
  CHECK(api.ask(post("/v1/hooks/cmd/test", R"({"x":1})")).status == 422);
  CHECK(api.ask(get("/v1/hooks/cmd/test")).status == 405);
}

TEST_CASE("only admins see where hooks lead, and test them" * doctest::skip(::geteuid() != 0)) {
  const HooksFixture api;
  const std::string path = api.socket_path();
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto ask = [&](const std::string& request) {
      RawClient client(path);
      client.send(request);
      return client.receive();
    };
    const Response list = ask(get("/v1/hooks"));
    const bool hidden = list.status == 200 && list.body.find("secret") == std::string::npos &&
                        list.body.find("/bin/sh") == std::string::npos;
    const bool refused = ask(post("/v1/hooks/cmd/test", "")).code() == "not_allowed";
    const bool may_name =
        ask(post("/v1/tasks", R"({"argv":["true"],"notify":["web"]})")).status == 201;
    ::_exit(hidden && refused && may_name ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  CHECK(status == 0);
}

}  // namespace taskd::test
