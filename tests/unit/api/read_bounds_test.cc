// What one request reads and holds is bounded, however often it names a large thing.
#include <chrono>

#include "tests/unit/api/as_user.h"
#include "tests/unit/api/sql_work.h"

namespace taskd::test {
namespace {

using nlohmann::json;

constexpr const char* kReadsSpec = "SELECT spec FROM task_specs";
constexpr const char* kLooksForTask = "SELECT uid FROM tasks WHERE id";
constexpr const char* kLooksForOpen = "ended_at_ms IS NULL ORDER BY id LIMIT 1";

// A held task with a spec of 600 kB, in its arguments or where no answer shows it.
json large_task(bool is_shown) {
  const std::string part(100'000, 'x');
  json task = {{"argv", {"true"}}, {"hold", true}};
  for (int i = 0; i < 6 && is_shown; ++i) task["argv"].push_back(part);
  if (is_shown) return task;
  task["env"] = {{"A", part}};
  task["stdin"] = {{"text", std::string(500'000, 'x')}};
  return task;
}

// Ranges that all end with the last of `count` tasks.
json overlapping_ranges(int ranges, int count) {
  json names = json::array();
  for (int i = 1; i <= ranges; ++i) {
    names.push_back(std::to_string(i) + "-" + std::to_string(count));
  }
  return names;
}

void submit_many(const ApiFixture& api, int count) {
  json batch = {{"tasks", json::array()}};
  for (int i = 0; i < count; ++i) batch["tasks"].push_back({{"argv", {"true"}}});
  REQUIRE(api.ask(post("/v1/tasks", batch.dump())).status == 201);
}

// As many tasks like it, in one batch.
json many_of(const json& task, int count) {
  return {{"tasks", std::vector<json>(static_cast<std::size_t>(count), json::object())},
          {"defaults", task}};
}

TEST_CASE("a batch that finds a large task a thousand times reads no more of it than it answers") {
  SqlWork work;
  const ApiFixture api;
  constexpr int kTimes = 1000;
  for (const bool is_shown : {true, false}) {
    CAPTURE(is_shown);
    json large = large_task(is_shown);
    large["unique"] = {{"key", is_shown ? "shown" : "hidden"}};
    const TaskId id = api.submit(large.dump());
    json batch = {{"tasks", json::array()}};
    for (int i = 0; i < kTimes; ++i) {
      batch["tasks"].push_back({{"argv", {"true"}}, {"unique", large["unique"]}});
    }
    work.count(kReadsSpec);
    const Response answer = api.ask(post("/v1/tasks", batch.dump()));
    REQUIRE(answer.status == 200);
    CHECK(work.runs() <= (is_shown ? 16 : 60));
    CHECK(answer.body.size() < (12 << 20));
    const json tasks = answer.json().at("tasks");
    REQUIRE(tasks.size() == kTimes);
    CHECK(tasks.front().contains("argv"));
    CHECK(tasks.back() == json{{"id", id}, {"state", "held"}, {"existing", true}});
  }
}

TEST_CASE("a repeated batch of large tasks reads them as far as its answer shows them") {
  SqlWork work;
  const ApiFixture api;
  constexpr int kTasks = 20;
  const std::string request =
      post("/v1/tasks", many_of(large_task(true), kTasks).dump(), "Idempotency-Key: k\r\n");
  const Response made = api.ask(request);
  REQUIRE(made.status == 201);
  CHECK(api.ask(post(task(kTasks, "/cancel"), "")).status == 200);
  CHECK(api.ask(remove(task(kTasks))).status == 200);
  work.count(kReadsSpec);
  const Response again = api.ask(request);
  CHECK(again.status == 200);
  CHECK(work.runs() < 16);
  const json tasks = again.json().at("tasks");
  REQUIRE(tasks.size() == kTasks - 1);  // of those that are left
  CHECK(tasks.front() == made.json().at("tasks").front());
  CHECK(tasks.back() == json{{"id", kTasks - 1}, {"state", "held"}});
}

TEST_CASE("a list of tasks with large hidden parts is parted by what is read for it") {
  SqlWork work;
  const ApiFixture api;
  constexpr int kTasks = 60;
  REQUIRE(api.ask(post("/v1/tasks", many_of(large_task(false), kTasks).dump())).status == 201);
  work.count(kReadsSpec);
  std::string cursor;
  std::vector<TaskId> ids;
  int pages = 0;
  do {
    const json page = api.ask(get("/v1/tasks?limit=1000" + cursor)).json();
    for (const json& one : page.at("tasks")) ids.push_back(one.at("id"));
    const json next = page.at("next_cursor");
    cursor = next.is_null() ? "" : "&cursor=" + next.get<std::string>();
    ++pages;
  } while (!cursor.empty());
  CHECK(pages == 2);
  CHECK(work.runs() == kTasks);  // each once
  REQUIRE(ids.size() == kTasks);
  CHECK(ids.front() == kTasks);
  CHECK(ids.back() == 1);
}

TEST_CASE("what a batch reads of large tasks that it is like counts as its memory") {
  SqlWork work;
  ServerLimits limits;
  limits.max_work_bytes = 16 << 20;
  const ApiFixture api(limits);
  const TaskId first = api.submit(large_task(true).dump());
  json batch = {{"tasks", json::array()}};
  for (int i = 0; i < 40; ++i) batch["tasks"].push_back({{"like", first}, {"argv", {"true"}}});
  work.count(kReadsSpec);
  const Response refused = api.ask(post("/v1/tasks", batch.dump()));
  CHECK(refused.status == 503);
  CHECK(refused.code() == "too_many_requests");
  CHECK(work.runs() < 20);
  CHECK(api.rows() == 1);
}

TEST_CASE("names of dependencies count for each task that they name, however often they name it") {
  SqlWork work;
  const ApiFixture api;
  constexpr int kTasks = 2000;
  submit_many(api, kTasks);
  json one = {{"argv", {"true"}}, {"depends_on", json::array()}};
  for (const json& name : overlapping_ranges(kTasks - 1, kTasks)) {
    one["depends_on"].push_back({{"tasks", name}, {"on", "any"}});
  }
  work.count(kLooksForTask);
  Response refused = api.ask(post("/v1/tasks", one.dump()));
  CHECK(refused.status == 422);
  CHECK(refused.code() == "invalid_request");
  CHECK(refused.json().at("errors").at(0).at("pointer") == "#/depends_on");
  CHECK(work.steps() < 4'000'000);

  // Each would pass alone.
  json batch = {{"tasks", json::array()}};
  const json all = json::array({{{"tasks", "1-2000"}, {"on", "any"}}});
  for (int i = 0; i < 100; ++i) batch["tasks"].push_back({{"argv", {"a"}}, {"depends_on", all}});
  work.count(kLooksForTask);
  refused = api.ask(post("/v1/tasks", batch.dump()));
  CHECK(refused.status == 422);
  CHECK(refused.code() == "invalid_request");
  CHECK(work.steps() < 4'000'000);
  const json flow = {{"group", batch["tasks"]}};
  refused = api.ask(post("/v1/workflows", flow.dump()));
  CHECK(refused.status == 422);
  CHECK(refused.code() == "invalid_workflow");
  CHECK(work.steps() < 8'000'000);
  CHECK(api.rows() == kTasks);

  // Some overlap does no harm.
  one["depends_on"] = json::array({{{"tasks", "1-2000"}, {"on", "any"}},
                                   {{"tasks", "1000-2000"}, {"on", "any"}},
                                   {{"tasks", "7"}, {"on", "any"}}});
  const Response taken = api.ask(post("/v1/tasks", one.dump()));
  CHECK(taken.status == 201);
  CHECK(taken.json().at("depends_on").size() == kTasks);
}

TEST_CASE("thousands of ranges that overlap cost a look at each, and the tasks in them once") {
  SqlWork work;
  const ApiFixture api;
  constexpr int kTasks = 3000;
  submit_many(api, kTasks);
  const json names = overlapping_ranges(kTasks - 1, kTasks);
  const auto costs = [&](const std::string& request) {
    CAPTURE(request.substr(0, 60));
    work.count("SELECT");
    CHECK(api.ask(request).status == 200);
    CHECK(work.steps() < 2'000'000);
  };
  costs(post("/v1/tasks:hold", json{{"tasks", names}, {"dry_run", true}}.dump()));
  costs(post("/v1/tasks:cancel", json{{"filter", {{"tasks", names}}}, {"dry_run", true}}.dump()));
  costs(post("/v1/tasks:wait", json{{"tasks", names}, {"timeout_ms", 0}}.dump()));
}

TEST_CASE(
    "a wait for many ids looks for each of them when it begins and when it ends, not between") {
  SqlWork work;
  const ApiFixture api;
  constexpr int kTasks = 500;
  submit_many(api, kTasks);
  json ids = json::array();
  for (int id = 1; id <= kTasks; ++id) ids.push_back(id);
  RawClient client = api.connect();
  const auto wait_for_looks = [](std::int64_t looks) {
    const auto start = std::chrono::steady_clock::now();
    while (SqlWork::runs() < looks &&
           std::chrono::steady_clock::now() - start < std::chrono::milliseconds(kTimeoutMs)) {
      std::this_thread::yield();
    }
    REQUIRE(SqlWork::runs() >= looks);
  };
  work.count(kLooksForOpen);
  client.send(post("/v1/tasks:wait", json{{"ids", ids}}.dump()));
  wait_for_looks(2);
  const std::int64_t before = SqlWork::steps();
  for (int i = 0; i < 40; ++i) {
    const std::int64_t looks = SqlWork::runs();
    api.finish(api.claim());
    wait_for_looks(looks + 1);
  }
  CHECK(SqlWork::steps() - before < 120'000);  // 40 times 500 looks are some 400,000
  CHECK(api.ask(post("/v1/tasks:cancel", R"({"filter":{}})")).status == 200);
  const Response answer = client.receive();
  CHECK(answer.status == 200);
  CHECK(answer.json() == json{{"count", kTasks}, {"ended", kTasks}, {"succeeded", 40}});
}

TEST_CASE("a wait for ids of which one is removed meanwhile ends with its name") {
  const ApiFixture api;
  for (int i = 0; i < 3; ++i) api.submit();
  RawClient client = api.connect();
  client.send(post("/v1/tasks:wait", R"({"ids":[3,1,2,2]})"));
  CHECK(client.receive(50).status == 0);
  CHECK(api.ask(post(task(2, "/cancel"), "")).status == 200);
  CHECK(api.ask(remove(task(2))).status == 200);
  CHECK(api.ask(post("/v1/tasks:cancel", R"({"ids":[1,3]})")).status == 200);
  const Response answer = client.receive();
  CHECK(answer.code() == "no_such_task");
  CHECK(answer.json().at("detail") == "there is no task 2");
  CHECK(api.ask(post("/v1/tasks:wait", R"({"ids":[1,9,3]})")).code() == "no_such_task");
}

TEST_CASE("requests of one user that read leave readers to others, whatever their method") {
  if (!can_be_others()) return;
  constexpr std::uint32_t kAnna = 54'331;
  constexpr std::uint32_t kBert = 54'332;
  constexpr int kReaders = 8;
  SqlWork work;
  const ApiFixture api;
  REQUIRE(ask_as(api, kAnna, post("/v1/tasks", R"({"argv":["true"]})")).status == 201);
  const std::string requests[] = {
      post("/v1/tasks:wait", R"({"ids":[1],"timeout_ms":0})"),
      post("/v1/tasks:hold", R"({"tasks":["1"],"dry_run":true})"),
      post("/v1/tasks:cancel", R"({"filter":{"tasks":["1"]},"dry_run":true})"),
      post("/v1/tasks:signal", R"({"tasks":["1"],"signal":"HUP","dry_run":true})"),
  };
  std::vector<RawClient> clients;
  work.count(kLooksForTask);
  {
    const SqlWork::Gate gate;
    for (int i = 0; i < 3 * kReaders; ++i) {
      clients.push_back(connect_as(api, kAnna));
      clients.back().send(requests[static_cast<std::size_t>(i) % std::size(requests)]);
    }
    CHECK(ask_as(api, kBert, get("/v1/tasks")).status == 200);
    CHECK(work.held() <= kReaders / 2);
  }
  for (RawClient& client : clients) CHECK(client.receive().status != 0);
}

}  // namespace
}  // namespace taskd::test
