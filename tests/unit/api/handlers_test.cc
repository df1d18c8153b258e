#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

Handlers two_handlers(bool only) {
  Handlers handlers{only};
  Handler& mail = handlers.declared["mail"];
  mail.argv = {"/usr/bin/mailer", "--secret"};
  mail.defaults = R"({"timeout_ms":5000,"priority":7,"labels":{"by":"handler"}})";
  handlers.declared["tidy"].shell = "rm x";
  return handlers;
}

struct HandlerApi : ApiFixture {
  explicit HandlerApi(bool only = false) : ApiFixture({}, {}, two_handlers(only)) {}

  Response send(const std::string& method, const std::string& target, const json& body) const {
    std::string request = post(target, body.dump());
    return ask(request.replace(0, 4, method));
  }
  json task(TaskId id) const { return ask(get("/v1/tasks/" + std::to_string(id))).json(); }
};

TEST_CASE("a handler's defaults fill what the submit leaves out; the queue's come after them") {
  const HandlerApi api;
  CHECK(
      api.send("PATCH", "/v1/queues/default",
               {{"defaults",
                 {{"timeout_ms", 1}, {"max_attempts", 5}, {"labels", {{"by", "q"}, {"q", "1"}}}}}})
          .status == 200);
  const json task =
      api.task(api.submit(R"({"handler":"mail","payload":{"to":["x",null]},"priority":1})"));
  CHECK(task.at("handler") == "mail");
  CHECK(task.at("payload") == json::parse(R"({"to":["x",null]})"));
  CHECK(task.at("command") == "handler mail");
  CHECK_FALSE(task.contains("argv"));
  CHECK(task.at("priority") == 1);
  CHECK(task.at("timeout_ms") == 5000);
  CHECK(task.at("max_attempts") == 5);
  CHECK(task.at("labels") == json{{"by", "handler"}, {"q", "1"}});
  const json own = api.task(api.submit(R"({"argv":["true"],"timeout_ms":0})"));
  CHECK(own.at("timeout_ms") == 0);
  CHECK(own.at("max_attempts") == 5);
  CHECK_FALSE(own.contains("payload"));
}

TEST_CASE("a batch's defaults win over the handler's and the queue's") {
  const HandlerApi api;
  const json answer = api.ask(post("/v1/tasks",
                                   R"({"defaults":{"handler":"mail","timeout_ms":9,"cwd":"/"},
                       "tasks":[{"payload":1},{"payload":2,"timeout_ms":3},{"argv":["true"]}]})"))
                          .json();
  CHECK(answer.dump().find("cwd") != std::string::npos);
  CHECK(api.ask(post("/v1/tasks", R"({"defaults":{"timeout_ms":9},
      "tasks":[{"handler":"mail"},{"handler":"mail","timeout_ms":3}]})"))
            .status == 201);
  CHECK(api.task(1).at("timeout_ms") == 9);
  CHECK(api.task(2).at("timeout_ms") == 3);
  CHECK(api.task(2).at("priority") == 7);
}

TEST_CASE("a task like another with a handler takes its values, not the defaults of now") {
  const HandlerApi api;
  const TaskId id = api.submit(R"({"handler":"mail","payload":{"a":1},"timeout_ms":9})");
  api.send("PATCH", "/v1/queues/default", {{"defaults", {{"max_attempts", 5}}}});
  const json copy = api.task(api.submit(json{{"like", id}, {"payload", {2}}}.dump()));
  CHECK(copy.at("handler") == "mail");
  CHECK(copy.at("payload") == json{2});
  CHECK(copy.at("timeout_ms") == 9);
  CHECK(copy.at("max_attempts") == 1);
  CHECK(api.send("POST", "/v1/tasks", {{"like", id}, {"handler", "nobody"}}).code() ==
        "unknown_handler");
}

TEST_CASE("a handler that runs as who submits it is not copied for somebody else") {
  const HandlerApi api;
  NewTask task;
  task.spec.handler = "mail";
  const auto submitted = api.store().submit({{::geteuid() + 1, false}, {task}, "", ""});
  const TaskId id = std::get<Submitted>(submitted).ids.at(0);
  const Response copy = api.send("POST", "/v1/tasks", {{"like", id}});
  CHECK(copy.code() == "invalid_task");
  CHECK(copy.json().at("errors").at(0).at("pointer") == "#/like");
}

TEST_CASE("a payload is shown with its task alone, not in lists") {
  const HandlerApi api;
  api.submit(R"({"handler":"mail","payload":"large"})");
  const json list = api.ask(get("/v1/tasks")).json();
  CHECK(list.at("tasks").at(0).at("handler") == "mail");
  CHECK_FALSE(list.at("tasks").at(0).contains("payload"));
}

TEST_CASE("an unknown handler is refused wherever it is named, and nothing is stored") {
  const HandlerApi api;
  const json nobody = {{"handler", "nobody"}};
  const auto check = [&](const Response& response, const std::string& pointer) {
    CAPTURE(response.body);
    CHECK(response.status == 422);
    CHECK(response.code() == "unknown_handler");
    CHECK(response.json().at("errors").at(0).at("pointer") == pointer);
  };
  check(api.send("POST", "/v1/tasks", nobody), "#/handler");
  check(api.send("POST", "/v1/tasks", {{"tasks", {{{"handler", "mail"}}, nobody}}}),
        "#/tasks/1/handler");
  check(api.send("POST", "/v1/workflows", {{"tasks", {{"a b", nobody}}}}), "#/tasks/a%20b/handler");
  check(api.send("POST", "/v1/workflows", {{"group", {{{"handler", "mail"}}}}, {"then", nobody}}),
        "#/then/handler");
  check(api.send("PUT", "/v1/schedules/s", {{"every_ms", 60000}, {"task", nobody}}),
        "#/task/handler");
  CHECK(api.rows() == 0);
  const TaskId id = api.submit(R"({"handler":"mail","hold":true})");
  check(api.send("PATCH", "/v1/tasks/" + std::to_string(id), nobody), "#/handler");
  CHECK(api.task(id).at("handler") == "mail");
}

TEST_CASE("a daemon for handlers only refuses commands, whichever way they come") {
  const HandlerApi api(true);
  const json shell = {{"shell", "true"}};
  const json mail = {{"handler", "mail"}};
  const auto check = [&](const Response& response) {
    CAPTURE(response.body);
    CHECK(response.status == 403);
    CHECK(response.code() == "handlers_only");
  };
  check(api.send("POST", "/v1/tasks", shell));
  check(api.send("POST", "/v1/tasks", {{"argv", {"true"}}}));
  check(api.send("POST", "/v1/tasks", {{"tasks", {mail, shell}}}));
  check(api.send("POST", "/v1/tasks", {{"defaults", shell}, {"tasks", {json::object()}}}));
  check(api.send("POST", "/v1/workflows", {{"chain", {mail, shell}}}));
  check(api.send("PUT", "/v1/schedules/s", {{"every_ms", 60000}, {"task", shell}}));
  CHECK(api.rows() == 0);

  CHECK(api.send("PUT", "/v1/schedules/s", {{"every_ms", 60000}, {"task", mail}}).status == 201);
  CHECK(api.send("POST", "/v1/schedules/s/trigger", json::object()).status == 201);
  const TaskId id = api.submit(R"({"handler":"mail","hold":true})");
  const std::string target = "/v1/tasks/" + std::to_string(id);
  for (const json& patch :
       {shell, json{{"argv", {"true"}}}, json{{"env", {{"LD_PRELOAD", "x"}}}}, json{{"cwd", "/"}},
        json{{"umask", "0077"}}, json{{"stdin", {{"text", "x"}}}}})
    check(api.send("PATCH", target, patch));
  CHECK(api.send("PATCH", target, {{"priority", 3}}).status == 200);
  CHECK(api.send("PATCH", target, {{"handler", "tidy"}}).status == 200);
  CHECK(api.send("POST", target + "/cancel", json::object()).status == 200);
  check(api.send("POST", target + "/retry", {{"edit", shell}}));
  CHECK(api.send("POST", target + "/retry", json::object()).status == 200);
}

TEST_CASE("with handlers only, commands that are there already are not run again, by no verb") {
  const HandlerApi api(true);
  NewTask task;
  task.spec.shell = "true";
  const auto submitted = api.store().submit({{::geteuid(), true}, {task}, "", ""});
  const TaskId id = std::get<Submitted>(submitted).ids.at(0);
  api.finish(api.claim(), 1);
  const std::string target = "/v1/tasks/" + std::to_string(id);
  CHECK(api.send("POST", target + "/retry", json::object()).code() == "handlers_only");
  CHECK(api.send("POST", target + "/retry", {{"edit", {{"priority", 1}}}}).code() ==
        "handlers_only");
  CHECK(api.send("POST", target + "/release", json::object()).code() == "handlers_only");
  for (const char* verb : {"retry", "release"}) {
    CHECK(api.send("POST", std::string("/v1/tasks:") + verb, {{"ids", {id}}}).code() ==
          "handlers_only");
  }
  CHECK(api.send("POST", "/v1/tasks", {{"like", id}}).code() == "handlers_only");
  ScheduleSettings schedule;
  schedule.name = "old";
  schedule.every_ms = 60'000;
  schedule.task = task.spec;
  api.store().put_schedule({::geteuid(), true}, ::geteuid(), schedule);
  CHECK(api.send("POST", "/v1/schedules/old/trigger", json::object()).code() == "handlers_only");
}

TEST_CASE("the handlers are listed, without their arguments") {
  const HandlerApi api;
  const json list = api.ask(get("/v1/handlers")).json();
  CHECK(list == json::parse(R"({"next_cursor": null, "handlers": [
      {"name": "mail", "program": "/usr/bin/mailer", "user": null,
       "defaults": {"timeout_ms": 5000, "priority": 7, "labels": {"by": "handler"}}},
      {"name": "tidy", "program": "/bin/sh", "user": null, "defaults": {}}]})"));
  CHECK(ApiFixture().ask(get("/v1/handlers")).json().at("handlers").empty());
}

TEST_CASE("a queue's defaults are patched option by option, put as a whole, and looked at") {
  const HandlerApi api;
  const auto defaults = [&](const std::string& method, const json& body) {
    const Response response = api.send(method, "/v1/queues/q", {{"defaults", body}});
    return response.status < 300 ? response.json().at("defaults") : json(response.code());
  };
  CHECK(defaults("PATCH", {{"slots", 1}}) == "no_such_queue");
  CHECK(defaults("PUT", {{"timeout_ms", 5}, {"backoff", {{"kind", "linear"}}}}) ==
        json{{"timeout_ms", 5}, {"backoff", {{"kind", "linear"}}}});
  CHECK(defaults("PATCH", {{"timeout_ms", nullptr}, {"backoff", {{"max_ms", 9}}}}) ==
        json{{"backoff", {{"kind", "linear"}, {"max_ms", 9}}}});
  for (const json& wrong :
       {json{{"argv", {"x"}}}, json{{"timeout_ms", "x"}}, json{{"unique", nullptr}},
        json{{"resources", {{"gpu", 0}}}}, json("x"), json::array()})
    CHECK(defaults("PATCH", wrong) == "invalid_request");
  CHECK(defaults("PATCH", {{"resources", {{"gpu", 1}}}}) == "does_not_fit");
  CHECK(api.ask(get("/v1/queues/q")).json().at("defaults").size() == 1);
  CHECK(defaults("PUT", {{"slots", 2}}) == json{{"slots", 2}});
  const TaskId id = api.submit(R"({"argv":["true"],"queue":"q","hold":true})");
  CHECK(api.task(id).at("slots") == 2);
  CHECK(api.send("POST", "/v1/tasks:move", {{"ids", {id}}, {"queue", "default"}}).status == 200);
  CHECK(api.task(id).at("slots") == 2);
  CHECK(defaults("PATCH", nullptr) == json::object());
  CHECK(api.task(api.submit(R"({"argv":["true"],"queue":"q"})")).at("slots") == 1);
}

}  // namespace
}  // namespace taskd::test
