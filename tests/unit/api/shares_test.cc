// What one user does to the server, and what another notices of it.
#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>

#include "tests/unit/api/as_user.h"

namespace taskd::test {
namespace {

constexpr std::uint32_t kAnna = 54'321;  // who does too much
constexpr std::uint32_t kBert = 54'322;

// Holds the database's write lock, so that no change is answered meanwhile.
class WriteLock {
 public:
  explicit WriteLock(const ApiFixture& api) {
    const std::string path = api.attempts_dir() + "/../taskd.db";
    REQUIRE(::sqlite3_open(path.c_str(), &db_) == SQLITE_OK);
    REQUIRE(::sqlite3_exec(db_, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr) == SQLITE_OK);
  }
  ~WriteLock() { ::sqlite3_close(db_); }
  WriteLock(const WriteLock&) = delete;

 private:
  sqlite3* db_ = nullptr;
};

const std::string kSharesTask = R"({"argv":["true"]})";

std::string half_sent(std::size_t body_bytes) {
  return "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: "
         "application/json\r\nContent-Length: " +
         std::to_string(body_bytes) + "\r\n\r\n{\"argv\":";
}

TEST_CASE("half-sent bodies of one user are refused beyond his share; another's are taken") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.max_request_bytes = 16 << 20;
  const ApiFixture api(limits);
  std::vector<RawClient> half;
  int refused = 0;
  for (int i = 0; i < 40; ++i) {
    half.push_back(connect_as(api, kAnna));
    half.back().send(half_sent(1 << 20));
    const Response response = half.back().receive(i < 8 ? 20 : kTimeoutMs);
    if (response.status == 0) continue;
    CHECK(response.status == 503);
    CHECK(response.code() == "too_many_requests");
    ++refused;
  }
  CHECK(refused == 32);
  RawClient other = connect_as(api, kBert);
  other.send(half_sent(1 << 20));
  CHECK(other.receive(50).status == 0);  // it is awaited
  other.send("[\"true\"]}" + std::string((1 << 20) - 17, ' '));
  CHECK(other.receive().status == 201);
  // Who is within his share goes on as well, and what he gives back is his again.
  half[0].send("[\"true\"]}" + std::string((1 << 20) - 17, ' '));
  CHECK(half[0].receive().status == 201);
  CHECK(ask_as(api, kAnna, post("/v1/tasks", kSharesTask)).status == 201);
}

TEST_CASE("where all users' half-sent bodies take all there is, the largest holder makes way") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.max_request_bytes = 16 << 20;
  const ApiFixture api(limits);
  std::vector<RawClient> anna;
  std::vector<RawClient> bert;
  for (int i = 0; i < 8; ++i) {
    anna.push_back(connect_as(api, kAnna));
    anna.back().send(half_sent(1 << 20));
    CHECK(anna.back().receive(20).status == 0);
  }
  for (int i = 0; i < 7; ++i) {
    bert.push_back(connect_as(api, kBert));
    bert.back().send(half_sent(1 << 20));
    CHECK(bert.back().receive(20).status == 0);
  }
  RawClient third = connect_as(api, kBert + 1);
  third.send(half_sent(1 << 20));
  CHECK(third.receive(50).status == 0);
  CHECK(anna[0].receive().code() == "too_many_requests");
  CHECK(anna[0].closed_by_server());
  for (RawClient& client : bert) CHECK(client.receive(5).status == 0);
}

// Tasks that every user of the test may see the like of: each his own.
std::string list_of(const ApiFixture& api, std::uint32_t uid) {
  const std::string body = R"({"argv":["true",")" + std::string(20'000, 'x') + R"("]})";
  for (int i = 0; i < 20; ++i) CHECK(ask_as(api, uid, post("/v1/tasks", body)).status == 201);
  return get("/v1/tasks?limit=20");
}

TEST_CASE("slow readers of one user cost no other his answer") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.max_output_bytes = 4 << 20;
  const ApiFixture api(limits);
  const std::string anna = list_of(api, kAnna);  // 400 kB an answer
  const std::string bert = list_of(api, kBert);
  RawClient early = connect_as(api, kBert);
  early.send(bert);
  std::vector<RawClient> slow;
  for (int i = 0; i < 30; ++i) {
    slow.push_back(connect_as(api, kAnna));
    slow.back().send(anna);
  }
  // All have been answered or cut once a request behind them is answered.
  CHECK(ask_as(api, kAnna, get("/v1/tasks?limit=1")).status == 200);
  RawClient late = connect_as(api, kBert);
  late.send(bert);
  ::poll(nullptr, 0, 100);
  CHECK(early.receive().complete);
  CHECK(late.receive().complete);
  int complete = 0;
  for (RawClient& client : slow) complete += client.receive(1'000).complete ? 1 : 0;
  CHECK(complete > 0);
  CHECK(complete < 30);
}

TEST_CASE("a user whose requests all wait for a commit leaves threads to others") {
  if (!can_be_others()) return;
  const ApiFixture api;
  std::vector<RawClient> stuck;
  {
    const WriteLock lock(api);
    for (int i = 0; i < 100; ++i) {
      stuck.push_back(connect_as(api, kAnna));
      stuck.back().send(post("/v1/tasks", kSharesTask));
    }
    CHECK(stuck.front().receive(100).status == 0);
    const auto start = std::chrono::steady_clock::now();
    CHECK(ask_as(api, kBert, get("/v1/tasks")).status == 200);
    CHECK(ask_as(api, kBert, get("/v1/healthz")).status == 200);
    CHECK(api.ask(get("/v1/tasks")).status == 200);
    // His own are answered too, where nothing has to wait.
    CHECK(ask_as(api, kAnna, get("/v1/healthz")).status == 200);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(5));
  }
  for (RawClient& client : stuck) CHECK(client.receive().status == 201);
  CHECK(api.rows() == 100);
}

TEST_CASE("two users who take all turns leave some to administrators, and healthz to all") {
  if (!can_be_others()) return;
  const ApiFixture api;
  std::vector<RawClient> stuck;
  {
    const WriteLock lock(api);
    for (int i = 0; i < 60; ++i) {
      stuck.push_back(connect_as(api, i % 2 == 0 ? kAnna : kBert));
      stuck.back().send(post("/v1/tasks", kSharesTask));
    }
    CHECK(stuck.front().receive(100).status == 0);
    CHECK(api.ask(get("/v1/tasks")).status == 200);
    CHECK(ask_as(api, kBert + 1, get("/v1/healthz")).status == 200);
  }
  for (RawClient& client : stuck) CHECK(client.receive().status == 201);
}

TEST_CASE("a request that gets no turn for too long is refused, and nothing of it is done") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.turn_time_ms = 200;
  limits.threads = 4;
  const ApiFixture api(limits);
  std::vector<RawClient> clients;
  int refused = 0;
  {
    const WriteLock lock(api);
    for (int i = 0; i < 10; ++i) {
      clients.push_back(connect_as(api, kAnna));
      clients.back().send(post("/v1/tasks", kSharesTask));
    }
    for (RawClient& client : clients) {
      const Response response = client.receive(1'000);
      if (response.status == 0) continue;
      CHECK(response.code() == "too_many_requests");
      ++refused;
    }
  }
  CHECK(refused >= 7);
  int done = 0;
  for (RawClient& client : clients) done += client.receive(1'000).status == 201 ? 1 : 0;
  CHECK(done + refused == 10);
  CHECK(api.rows() == static_cast<std::size_t>(done));
}

TEST_CASE("a client that goes away while it waits for its turn leaves nothing behind") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.threads = 4;
  const ApiFixture api(limits);
  {
    const WriteLock lock(api);
    std::vector<RawClient> clients;
    for (int i = 0; i < 10; ++i) {
      clients.push_back(connect_as(api, kAnna));
      clients.back().send(post("/v1/tasks", kSharesTask));
    }
    CHECK(clients.back().receive(100).status == 0);
    clients.clear();
    CHECK(api.ask(get("/v1/healthz")).status == 200);
  }
  // Those that had their turn were done.
  CHECK(ask_as(api, kAnna, post("/v1/tasks", kSharesTask)).status == 201);
  CHECK(api.rows() <= 4);
}

TEST_CASE("whoever opens many connections loses his own, not another's") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.max_connections = 16;
  const ApiFixture api(limits);
  RawClient other = connect_as(api, kBert);
  other.send(get("/v1/healthz"));
  CHECK(other.receive().status == 200);
  std::vector<RawClient> many;
  for (int i = 0; i < 40; ++i) {
    many.push_back(connect_as(api, kAnna));
    many.back().send(get("/v1/healthz"));
    CHECK(many.back().receive().status == 200);
  }
  other.send(get("/v1/healthz"));
  CHECK(other.receive().status == 200);
  CHECK(many.front().closed_by_server());
  many.back().send(get("/v1/healthz"));
  CHECK(many.back().receive().status == 200);
}

TEST_CASE("bodies that take much memory once they are parsed are parsed a few at a time") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.max_work_bytes = 64 << 20;
  const ApiFixture api(limits);
  std::string nothing = "{\"argv\":[\"true\"],\"x\":[";
  while (nothing.size() < (1 << 18)) nothing += "{},";
  nothing += "{}]}";
  std::vector<RawClient> clients;
  for (int i = 0; i < 12; ++i) {
    clients.push_back(connect_as(api, i % 2 == 0 ? kAnna : kBert));
    clients.back().send(post("/v1/tasks", nothing));
  }
  for (RawClient& client : clients) CHECK(client.receive().code() == "invalid_task");
  // One that would take all there is never gets a turn, so it is refused at once.
  std::string huge = "{\"x\":[";
  while (huge.size() < (2 << 20)) huge += "{},";
  const Response refused = ask_as(api, kAnna, post("/v1/tasks", huge + "{}]}"));
  CHECK(refused.status == 413);
  CHECK(refused.code() == "body_too_large");
}

std::size_t threads_of_server() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST_CASE("hundreds of requests of one user wait for a task without a thread each") {
  if (!can_be_others()) return;
  const ApiFixture api;
  const TaskId id = ask_as(api, kAnna, post("/v1/tasks", kSharesTask)).json().at("id");
  std::vector<RawClient> waiting;
  for (int i = 0; i < 300; ++i) {
    waiting.push_back(connect_as(api, kAnna));
    waiting.back().send(get(task(id, "/wait")) + get("/v1/healthz"));
  }
  // Another who waits is not refused, and all are woken by the one change.
  RawClient other = connect_as(api, kBert);
  const TaskId his = ask_as(api, kBert, post("/v1/tasks", kSharesTask)).json().at("id");
  other.send(get(task(his, "/wait?timeout_ms=50")));
  CHECK(other.receive().json().at("state") == "queued");
  CHECK(threads_of_server() < 60);
  CHECK(ask_as(api, kAnna, post(task(id, "/cancel"), "")).status == 200);
  for (RawClient& client : waiting) {
    CHECK(client.receive().json().at("state") == "cancelled");
    CHECK(client.receive().status == 200);  // what was behind it
  }
}

TEST_CASE("a user may have half of all waits, and keeps nobody else from waiting") {
  if (!can_be_others()) return;
  ServerLimits limits;
  limits.max_waits = 8;
  const ApiFixture api(limits);
  const TaskId id = ask_as(api, kAnna, post("/v1/tasks", kSharesTask)).json().at("id");
  const TaskId his = ask_as(api, kBert, post("/v1/tasks", kSharesTask)).json().at("id");
  std::vector<RawClient> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(connect_as(api, kAnna));
    waiting.back().send(get(task(id, "/wait")));
    CHECK(waiting.back().receive(30).status == 0);
  }
  CHECK(ask_as(api, kAnna, get(task(id, "/wait"))).code() == "too_many_requests");
  CHECK(ask_as(api, kBert, get(task(his, "/wait?timeout_ms=30"))).status == 200);
  waiting.pop_back();
  int status = 503;
  for (int i = 0; i < 100 && status == 503; ++i) {
    status = ask_as(api, kAnna, get(task(id, "/wait?timeout_ms=30"))).status;
  }
  CHECK(status == 200);
}

}  // namespace
}  // namespace taskd::test
