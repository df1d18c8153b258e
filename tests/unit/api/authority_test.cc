// Who may see and do what, and as whom things run: every route, asked by the owner of a row, by
// another user and by an administrator.

#include <functional>

#include "daemon/api/routes/routes.h"
#include "tests/unit/api/as_user.h"

namespace taskd::test {
namespace {

using nlohmann::json;

// Users that every Debian has: daemon and bin.
constexpr std::uint32_t kAlice = 1;
constexpr std::uint32_t kBob = 2;
constexpr std::uint32_t kRoot = 0;

std::vector<Hook> one_hook() {
  Hook hook;
  hook.name = "told";
  hook.command = {"/bin/true"};
  return {hook};
}

Handlers handlers_of_services() {
  Handlers handlers;
  handlers.declared["plain"].argv = {"/bin/true"};
  Handler& service = handlers.declared["service"];
  service.argv = {"/bin/true"};
  service.user_uid = kBob;
  return handlers;
}

// What one user has: of each kind of row one, with a word in it by which it is known.
struct Rows {
  std::uint32_t owner = 0;
  std::string word;
  TaskId held = 0, waiting = 0, running = 0, ended = 0;
  Claim claim;  // of the running one
  WorkflowId workflow = 0;
};

struct AuthorityApi : ApiFixture {
  AuthorityApi() : ApiFixture({}, one_hook(), handlers_of_services()) {
    for (const char* queue : {"side", "spare"}) {
      QueuePatch patch;
      patch.name = queue;
      store().set_queue({kRoot, true}, patch, /*create=*/true);
    }
  }

  TaskId add(std::uint32_t owner, NewTask task) const {
    if (task.spec.argv.empty() && task.spec.handler.empty()) task.spec.argv = {"true"};
    return std::get<Submitted>(store().submit({{owner, owner == kRoot}, {task}, "", ""})).ids[0];
  }

  // What earlier requests queued ends first.
  Claim claim_of(TaskId id) const {
    for (;;) {
      const Claim next = claim();
      if (next.task == id) return next;
      finish(next);
    }
  }

  Rows make_rows(std::uint32_t owner) {
    Rows rows;
    rows.owner = owner;
    rows.word = "word-" + std::to_string(++made_);
    NewTask task;
    task.spec.name = rows.word;
    rows.ended = add(owner, task);
    const Claim ended = claim_of(rows.ended);
    store().set_result({ended.task, ended.attempt, ended.token}, "\"" + rows.word + "\"");
    finish(ended);
    rows.running = add(owner, task);
    rows.claim = claim_of(rows.running);
    task.hold = true;
    task.spec.constraints.key.name = rows.word;
    rows.held = add(owner, task);
    task.hold = false;
    task.delay_ms = 3'600'000;
    rows.waiting = add(owner, task);
    SubmitRequest flow{{owner, owner == kRoot}, {task}, "", ""};
    flow.workflow = rows.word;
    flow.steps = {{"step", {}}};
    rows.workflow = std::get<Submitted>(store().submit(flow)).workflow;
    ScheduleSettings schedule;
    schedule.name = rows.word;
    schedule.every_ms = 3'600'000;
    schedule.task.argv = {"true"};
    schedule.task.name = rows.word;
    store().put_schedule({owner, true}, owner, schedule);
    return rows;
  }

  // All that an administrator sees of a user's rows, but for what time alone changes.
  std::string state_of(const Rows& rows) const {
    std::string all;
    for (const TaskId id : {rows.held, rows.waiting, rows.running, rows.ended})
      all += ask(get(task(id))).body + "\n";
    all += ask(get("/v1/workflows/" + std::to_string(rows.workflow))).body + "\n";
    all += ask(get("/v1/keys?name=" + rows.word)).body + "\n";
    const std::string of = "?user=" + std::to_string(rows.owner);
    all += ask(get("/v1/schedules/" + rows.word + of)).body;
    return all;
  }

  // The one rule, over everything there is.
  void check_all_rows() const {
    const Actor root{kRoot, true};
    ListRequest request;
    request.actor = root;
    request.limit = 100'000;
    const Handlers handlers = handlers_of_services();
    for (const Task& task : store().list(request)) {
      const Handler* handler = handlers.find(task.spec.handler);
      CAPTURE(task.id);
      CHECK(may_run_as(task.uid, run_as(task.uid, task.spec, handler), handler));
    }
    for (const Schedule& schedule : store().schedules(root)) {
      const TaskSpec& spec = schedule.settings.task;
      const Handler* handler = handlers.find(spec.handler);
      CAPTURE(schedule.settings.name);
      CHECK(may_run_as(schedule.uid, run_as(schedule.uid, spec, handler), handler));
    }
  }

 private:
  int made_ = 0;
};

// What a route is asked about a user's rows.
using Request = std::function<std::string(const Rows& rows, const std::string& target)>;
struct Rule {
  Request request;
  // The status for the owner (of whom an administrator is one, with rows of their own), another
  // user, and an administrator.
  int owner, other, admin;
};

Request send(const std::string& method, const std::string& body) {
  return
      [=](const Rows&, const std::string& target) { return with_body(method, target, body, ""); };
}
Request send_ids(TaskId Rows::*id, const std::string& more = "") {
  return [=](const Rows& rows, const std::string& target) {
    return post(target, R"({"ids":[)" + std::to_string(rows.*id) + "]" + more + "}");
  };
}
Request look() {
  return [](const Rows&, const std::string& target) { return get(target); };
}
// A job's own report: the secret decides, whoever has it.
Request report(const std::string& what) {
  return [=](const Rows& rows, const std::string& target) {
    return post(target, R"({"attempt":1,"token":")" + rows.claim.secret + "\"," + what + "}");
  };
}

// The route with something of `rows` in its hole, as `asker` has to name it.
std::string target_of(const std::string& route, const Rows& rows, std::uint32_t asker) {
  const auto verb = [&](const char* word) { return route.ends_with(word); };
  std::string target = route.substr(route.find(' ') + 1);
  std::string hole = std::to_string(rows.held);
  if (target.starts_with("/v1/workflows/")) hole = std::to_string(rows.workflow);
  if (target.starts_with("/v1/schedules/")) hole = rows.word;
  if (target.starts_with("/v1/queues/")) hole = "spare";
  if (target.starts_with("/v1/hooks/")) hole = "told";
  if (target.starts_with("/v1/tasks/")) {
    if (verb("/signal") || verb("/progress") || (route.starts_with("POST") && verb("/result")))
      hole = std::to_string(rows.running);
    else if (verb("/hold"))
      hole = std::to_string(rows.waiting);
    else if (verb("/wait") || verb("/logs") || verb("/retry") || verb("/result") ||
             route.starts_with("DELETE"))
      hole = std::to_string(rows.ended);
  }
  if (const auto open = target.find('{'); open != target.npos)
    target.replace(open, target.find('}') + 1 - open, hole);
  if (target.starts_with("/v1/keys") && route.starts_with("PATCH")) target += "?name=" + rows.word;
  const bool of_another = asker != rows.owner;
  if (target.starts_with("/v1/schedules/") && of_another)
    target += "?user=" + std::to_string(rows.owner);
  return target;
}

// A new route needs a line here.
std::map<std::string, Rule> rules() {
  const std::string schedule = R"({"every_ms":60000,"task":{"argv":["true"]}})";
  const Request like = [](const Rows& rows, const std::string& target) {
    return post(target, R"({"like":)" + std::to_string(rows.held) + R"(,"hold":true})");
  };
  return {
      {"POST /v1/tasks", {like, 201, 422, 201}},
      {"GET /v1/tasks", {look(), 200, 200, 200}},
      {"POST /v1/tasks:cancel", {send_ids(&Rows::held), 200, 404, 200}},
      {"POST /v1/tasks:retry", {send_ids(&Rows::ended), 200, 404, 200}},
      {"POST /v1/tasks:hold", {send_ids(&Rows::waiting), 200, 404, 200}},
      {"POST /v1/tasks:release", {send_ids(&Rows::held), 200, 404, 200}},
      {"POST /v1/tasks:delete", {send_ids(&Rows::ended), 200, 404, 200}},
      {"POST /v1/tasks:move", {send_ids(&Rows::held, R"(,"queue":"side")"), 200, 404, 200}},
      {"POST /v1/tasks:wait", {send_ids(&Rows::held, R"(,"timeout_ms":0)"), 200, 404, 200}},
      {"GET /v1/tasks/{id}", {look(), 200, 404, 200}},
      {"PATCH /v1/tasks/{id}", {send("PATCH", R"({"env":{"A":"1"}})"), 200, 404, 200}},
      {"DELETE /v1/tasks/{id}",
       {[](const Rows&, const std::string& target) { return remove(target); }, 200, 404, 200}},
      {"GET /v1/tasks/{id}/wait", {look(), 200, 404, 200}},
      {"GET /v1/tasks/{id}/logs", {look(), 200, 404, 200}},
      {"GET /v1/tasks/{id}/attempts", {look(), 200, 404, 200}},
      {"GET /v1/tasks/{id}/deliveries", {look(), 200, 404, 200}},
      {"GET /v1/tasks/{id}/why", {look(), 200, 404, 200}},
      {"POST /v1/tasks/{id}/cancel", {send("POST", ""), 200, 404, 200}},
      {"POST /v1/tasks/{id}/retry",
       {send("POST", R"({"edit":{"shell":"id","argv":null}})"), 200, 404, 200}},
      {"POST /v1/tasks/{id}/hold", {send("POST", ""), 200, 404, 200}},
      {"POST /v1/tasks/{id}/release", {send("POST", ""), 200, 404, 200}},
      // No command runs here: 409 is for those who may.
      {"POST /v1/tasks:signal", {send_ids(&Rows::running, R"(,"signal":"USR1")"), 409, 404, 409}},
      {"POST /v1/tasks/{id}/signal", {send("POST", R"({"signal":"USR1"})"), 409, 404, 409}},
      {"POST /v1/tasks/{id}/progress", {report(R"("percent":1)"), 202, 202, 202}},
      {"POST /v1/tasks/{id}/result", {report(R"("result":1)"), 200, 200, 200}},
      {"GET /v1/tasks/{id}/result", {look(), 200, 404, 200}},
      {"POST /v1/workflows",
       {send("POST", R"({"chain":[{"argv":["true"],"hold":true}]})"), 201, 201, 201}},
      {"GET /v1/workflows", {look(), 200, 200, 200}},
      {"GET /v1/workflows/{id}", {look(), 200, 404, 200}},
      {"POST /v1/workflows/{id}/cancel", {send("POST", ""), 200, 404, 200}},
      {"POST /v1/workflows/{id}/retry", {send("POST", ""), 200, 404, 200}},
      // Queues are an administrator's, whoever uses them.
      {"GET /v1/queues", {look(), 200, 200, 200}},
      {"GET /v1/queues/{name}", {look(), 200, 200, 200}},
      {"PUT /v1/queues/{name}", {send("PUT", "{}"), 403, 403, 200}},
      {"PATCH /v1/queues/{name}", {send("PATCH", R"({"weight":2})"), 403, 403, 200}},
      {"POST /v1/queues/{name}/pause", {send("POST", ""), 403, 403, 200}},
      {"POST /v1/queues/{name}/resume", {send("POST", ""), 403, 403, 200}},
      {"POST /v1/queues/{name}/drain", {send("POST", ""), 403, 403, 200}},
      {"DELETE /v1/queues/{name}",
       {[](const Rows&, const std::string& target) { return remove(target); }, 403, 403, 200}},
      {"GET /v1/keys", {look(), 200, 200, 200}},
      {"PATCH /v1/keys", {send("PATCH", R"({"limit":1})"), 200, 404, 200}},
      {"GET /v1/schedules", {look(), 200, 200, 200}},
      {"GET /v1/schedules/{name}", {look(), 200, 403, 200}},
      {"PUT /v1/schedules/{name}", {send("PUT", schedule), 200, 403, 200}},
      {"DELETE /v1/schedules/{name}",
       {[](const Rows&, const std::string& target) { return remove(target); }, 200, 403, 200}},
      {"POST /v1/schedules/{name}/pause", {send("POST", ""), 200, 403, 200}},
      {"POST /v1/schedules/{name}/resume", {send("POST", ""), 200, 403, 200}},
      {"POST /v1/schedules/{name}/trigger", {send("POST", ""), 201, 403, 201}},
      {"GET /v1/schedules/{name}/preview", {look(), 200, 403, 200}},
      {"GET /v1/hooks", {look(), 200, 200, 200}},
      {"POST /v1/hooks/{name}/test", {send("POST", ""), 403, 403, 200}},
      {"GET /v1/handlers", {look(), 200, 200, 200}},
      {"GET /v1/stats", {look(), 200, 200, 200}},
      {"GET /v1/healthz", {look(), 200, 200, 200}},
      {"GET /v1/integrity", {look(), 403, 403, 200}},
  };
}

void restore_queue(const AuthorityApi& api) {
  QueuePatch patch;
  patch.name = "spare";
  api.store().set_queue({kRoot, true}, patch, /*create=*/true);
}

void check_case(AuthorityApi& api, const std::string& route, const Rule& rule, std::uint32_t owner,
                std::uint32_t asker, int expected) {
  const Rows rows = api.make_rows(owner);
  const std::string before = api.state_of(rows);
  const std::string target = target_of(route, rows, asker);
  const Response response = ask_as(api, asker, rule.request(rows, target));
  CAPTURE(route);
  CAPTURE(owner);
  CAPTURE(asker);
  CAPTURE(response.body);
  CHECK(response.status == expected);
  if (asker != owner && asker != kRoot) {
    const bool named_it = target.find(rows.word) != target.npos;
    if (!named_it) CHECK(response.body.find(rows.word) == response.body.npos);
    const bool by_secret = route.ends_with("/progress") || route == "POST /v1/tasks/{id}/result";
    if (!by_secret) CHECK(api.state_of(rows) == before);
  }
  if (response.status >= 400) CHECK(api.state_of(rows) == before);
  restore_queue(api);
}

TEST_CASE("every route knows the owner of a row, other users and administrators apart") {
  if (!can_be_others()) return;
  AuthorityApi api;
  auto left = rules();
  for (const RouteName& name : all_routes()) {
    const std::string route = std::string(name.method) + " " + std::string(name.pattern);
    const auto found = left.find(route);
    REQUIRE_MESSAGE(found != left.end(), route, " has no rule: say who may use it, above");
    const Rule rule = found->second;
    left.erase(found);
    check_case(api, route, rule, kAlice, kAlice, rule.owner);
    check_case(api, route, rule, kAlice, kBob, rule.other);
    check_case(api, route, rule, kAlice, kRoot, rule.admin);
    check_case(api, route, rule, kRoot, kRoot, rule.admin);
    check_case(api, route, rule, kRoot, kBob, rule.other);
  }
  for (const auto& [route, rule] : left) CHECK_MESSAGE(false, "there is no route ", route);
  api.check_all_rows();
}

TEST_CASE("an administrator cannot make a user's task or schedule run as somebody else") {
  if (!can_be_others()) return;
  AuthorityApi api;
  const Rows rows = api.make_rows(kAlice);
  const std::string before = api.state_of(rows);
  const auto refused = [&](const std::string& request, const std::string& pointer) {
    const Response response = api.ask(request);
    CAPTURE(request);
    CAPTURE(response.body);
    CHECK((response.status == 403 || response.status == 422));
    REQUIRE(response.json().contains("errors"));
    CHECK(response.json().at("errors").at(0).at("pointer") == pointer);
  };
  const std::string schedule = "/v1/schedules/" + rows.word + "?user=" + std::to_string(kAlice);
  for (const char* user : {"0", "\"root\"", "2"}) {
    const std::string field = std::string(R"("user":)") + user;
    refused(patch(task(rows.held), "{" + field + "}"), "#/user");
    refused(patch(task(rows.waiting), R"({"shell":"id","argv":null,)" + field + "}"), "#/user");
    refused(post(task(rows.ended, "/retry"), R"({"edit":{)" + field + "}}"), "#/edit/user");
    refused(put(schedule, R"({"every_ms":60000,"task":{"argv":["true"],)" + field + "}}"),
            "#/task/user");
    const std::string like = R"({"like":)" + std::to_string(rows.held) + "," + field + "}";
    refused(post("/v1/tasks", like), "#/user");
    refused(post("/v1/tasks", R"({"tasks":[{"argv":["true"]},)" + like + "]}"), "#/tasks/1/user");
  }
  CHECK(api.state_of(rows) == before);
  CHECK(api.ask(patch(task(rows.held), R"({"user":1})")).status == 200);  // as it does anyway
  api.check_all_rows();
}

TEST_CASE("whatever an administrator does to a user's rows, they go on to run as that user") {
  if (!can_be_others()) return;
  AuthorityApi api;
  const Rows rows = api.make_rows(kAlice);
  const auto done = [&](const std::string& request) {
    const Response response = api.ask(request);
    CAPTURE(request);
    CHECK_MESSAGE(response.status < 300, response.body);
    return response;
  };
  for (const char* edit :
       {R"({"env":{"A":"1"}})", R"({"shell":"id","argv":null})", R"({"stdin":{"text":"x"}})",
        R"({"cwd":"/"})", R"({"notify":["told"]})", R"({"queue":"side"})",
        R"({"handler":"plain","shell":null,"env":null,"cwd":null,"stdin":null})",
        R"({"handler":"service"})", R"({"argv":["id"],"handler":null})"}) {
    done(patch(task(rows.held), edit));
  }
  done(post("/v1/tasks:move",
            R"({"ids":[)" + std::to_string(rows.waiting) + R"(],"queue":"side"})"));
  done(post(task(rows.ended, "/retry"), R"({"edit":{"shell":"id","argv":null}})"));
  const std::string of = "?user=" + std::to_string(kAlice);
  const std::string schedule = "/v1/schedules/" + rows.word;
  done(put(schedule + of, R"({"every_ms":60000,"task":{"shell":"id"}})"));
  CHECK(done(post(schedule + "/trigger" + of, "")).json().at("uid") == kAlice);
  const json copy = done(post("/v1/tasks", R"({"like":)" + std::to_string(rows.held) + "}")).json();
  CHECK(copy.at("uid") == kRoot);
  CHECK(copy.at("user") == kAlice);
  CHECK(ask_as(api, kAlice, get(task(rows.held))).status == 200);
  CHECK(ask_as(api, kAlice, get(schedule)).status == 200);
  api.check_all_rows();
}

TEST_CASE("a task of an earlier version that asks for another user is not given new words") {
  if (!can_be_others()) return;
  AuthorityApi api;
  NewTask planted;
  planted.hold = true;
  planted.spec.user_uid = kRoot;
  const TaskId id = api.add(kAlice, planted);
  const auto pointer = [](const Response& response) {
    CAPTURE(response.body);
    CHECK((response.status == 403 || response.status == 422));
    return response.json().at("errors").at(0).at("pointer").get<std::string>();
  };
  CHECK(pointer(ask_as(api, kAlice, patch(task(id), R"({"shell":"id","argv":null})"))) == "#/user");
  CHECK(pointer(ask_as(api, kAlice, patch(task(id), R"({"priority":1})"))) == "#/user");
  const std::string like = R"({"like":)" + std::to_string(id) + "}";
  CHECK(pointer(ask_as(api, kAlice, post("/v1/tasks", like))) == "#/user");
  CHECK(pointer(api.ask(post("/v1/tasks", like))) == "#/like");
  CHECK(ask_as(api, kAlice, patch(task(id), R"({"user":null})")).status == 200);
  api.check_all_rows();
}

TEST_CASE("schedules of one name belong to two users, and each touches their own") {
  if (!can_be_others()) return;
  const AuthorityApi api;
  const std::string body = R"({"every_ms":3600000,"task":{"argv":["true"],"name":)";
  const std::string backup = "/v1/schedules/backup";
  const auto name_of = [](const Response& response) {
    CHECK(response.status == 200);
    return response.json().at("task").at("name").get<std::string>();
  };
  CHECK(ask_as(api, kAlice, put(backup, body + R"("alice"}})")).status == 201);
  CHECK(api.ask(get(backup)).code() == "no_such_schedule");
  CHECK(api.ask(get(backup)).body.find("user\\\": daemon") != std::string::npos);
  for (const char* verb : {"/pause", "/resume", "/trigger"})
    CHECK(api.ask(post(backup + verb, "")).code() == "no_such_schedule");
  CHECK(api.ask(remove(backup)).code() == "no_such_schedule");
  const Response made = api.ask(put(backup, body + R"("root"}})"));
  CHECK(made.status == 201);
  CHECK(made.json().at("user") == kRoot);
  CHECK(api.ask(put(backup, body + R"("root again"}})")).status == 200);
  CHECK(name_of(ask_as(api, kAlice, get(backup))) == "alice");
  CHECK(name_of(api.ask(get(backup))) == "root again");
  const std::string of_alice = backup + "?user=1";
  CHECK(name_of(api.ask(get(of_alice))) == "alice");
  CHECK(api.ask(post(backup + "/pause?user=1", "")).status == 200);
  CHECK(ask_as(api, kAlice, get(backup)).json().at("paused") != nullptr);
  CHECK(api.ask(get(backup)).json().at("paused") == nullptr);
  CHECK(api.ask(put("/v1/schedules/new?user=2", body + R"("bob"}})")).header("Location") ==
        "/v1/schedules/new?user=2");
  CHECK(name_of(ask_as(api, kBob, get("/v1/schedules/new"))) == "bob");
  CHECK(ask_as(api, kBob, get(of_alice)).code() == "not_allowed");
  CHECK(ask_as(api, kBob, get("/v1/schedules?user=1")).code() == "not_allowed");
  CHECK(ask_as(api, kBob, get("/v1/schedules?user=2")).json().at("schedules").size() == 1);
  CHECK(api.ask(get("/v1/schedules")).json().at("schedules").size() == 3);
  CHECK(api.ask(get("/v1/schedules?user=1")).json().at("schedules").size() == 1);
  CHECK(api.ask(get("/v1/schedules?user=no-such-user")).code() == "unknown_user");
  CHECK(api.ask(get(backup + "?user=1&user=2")).code() == "invalid_request");
  CHECK(api.ask(remove(of_alice)).status == 200);
  CHECK(api.ask(get(backup)).status == 200);
  CHECK(ask_as(api, kAlice, get(backup)).status == 404);
}

}  // namespace
}  // namespace taskd::test
