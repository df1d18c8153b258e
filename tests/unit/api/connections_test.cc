#include <chrono>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using SteadyClock = std::chrono::steady_clock;

std::int64_t ms_since(SteadyClock::time_point start) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(SteadyClock::now() - start).count();
}

TEST_CASE("a head or a body that does not arrive in time is answered with 408") {
  ServerLimits limits;
  limits.head_time_ms = 100;
  limits.body_time_ms = 100;
  const ApiFixture api(limits);
  for (const char* part :
       {"GET /v1/st", "GET /v1/stats HTTP/1.1\r\nHost: taskd\r\n",
        "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
        "Content-Length: 17\r\n\r\n{\"argv\":"}) {
    RawClient client = api.connect();
    client.send(part);
    const Response response = client.receive();
    CHECK(response.status == 408);
    CHECK(response.code() == "request_timeout");
    CHECK(client.closed_by_server());
  }
  CHECK(api.rows() == 0);
}

TEST_CASE("the deadline of a head is absolute: dripping bytes do not extend it") {
  ServerLimits limits;
  limits.head_time_ms = 200;
  const ApiFixture api(limits);
  RawClient client = api.connect();
  const auto start = SteadyClock::now();
  client.send("GET /");
  int status = 0;
  while (status == 0 && ms_since(start) < 10'000) {
    client.send("a");
    status = client.receive(20).status;
  }
  CHECK(status == 408);
  CHECK(ms_since(start) < 5'000);
}

TEST_CASE("an idle connection is closed without a word") {
  ServerLimits limits;
  limits.idle_time_ms = 100;
  const ApiFixture api(limits);
  RawClient silent = api.connect();
  CHECK(silent.receive().status == 0);
  CHECK(silent.closed_by_server());
  RawClient kept = api.connect();
  kept.send(get("/v1/healthz"));
  CHECK(kept.receive().status == 200);
  CHECK(kept.receive().status == 0);
  CHECK(kept.closed_by_server());
}

TEST_CASE("one connection serves any number of requests") {
  const ApiFixture api;
  RawClient client = api.connect();
  for (int i = 0; i < 1'000; ++i) {
    client.send(get("/v1/healthz"));
    const Response response = client.receive();
    REQUIRE(response.status == 200);
    REQUIRE(response.header("Connection").empty());
  }
}

TEST_CASE("pipelined requests are answered in order") {
  const ApiFixture api;
  std::string requests;
  for (int i = 0; i < 1'000; ++i) requests += get("/v1/tasks/" + std::to_string(i + 1));
  RawClient client = api.connect();
  std::thread sender([&] { client.send(requests); });
  for (int i = 0; i < 1'000; ++i) {
    const Response response = client.receive();
    REQUIRE(response.status == 404);
    REQUIRE(response.json().at("detail") == "there is no task " + std::to_string(i + 1));
  }
  sender.join();
}

TEST_CASE("a client that says it closes gets its answer and the end") {
  const ApiFixture api;
  for (const char* head : {"GET /v1/healthz HTTP/1.1\r\nHost: t\r\nConnection: foo, Close\r\n\r\n",
                           "GET /v1/healthz HTTP/1.0\r\n\r\n"}) {
    RawClient client = api.connect();
    client.send(head);
    const Response response = client.receive();
    CHECK(response.status == 200);
    CHECK(response.header("Connection") == "close");
    CHECK(client.closed_by_server());
  }
}

TEST_CASE("a client that only half-closes still gets its answer") {
  const ApiFixture api;
  RawClient client = api.connect();
  client.send(get("/v1/healthz"));
  client.half_close();
  CHECK(client.receive().status == 200);
  CHECK(client.closed_by_server());
}

TEST_CASE("100-continue is said once the head is accepted, not before") {
  const ApiFixture api;
  const std::string body = R"({"argv":["true"]})";
  RawClient client = api.connect();
  client.send(
      "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 17\r\n\r\n");
  CHECK(client.receive().status == 100);
  client.send(body);
  CHECK(client.receive().status == 201);

  client.send(
      "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 99999999\r\n\r\n");
  CHECK(client.receive().status == 413);
}

TEST_CASE("a refused body that is still being sent does not break the answer off") {
  const ApiFixture api;
  RawClient client = api.connect();
  client.send(
      "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n"
      "Content-Length: 8000000\r\n\r\n");
  CHECK(client.send(std::string(8'000'000, ' ')));
  CHECK(client.receive().code() == "body_too_large");
}

TEST_CASE("HEAD answers with the head of GET and no body") {
  const ApiFixture api;
  RawClient client = api.connect();
  client.send("HEAD /v1/healthz HTTP/1.1\r\nHost: t\r\n\r\n" + get("/v1/healthz"));
  const std::string head = client.receive_head();
  CHECK(head.find("HTTP/1.1 200 OK\r\n") == 0);
  const Response response = client.receive();
  CHECK(head.find("Content-Length: " + response.header("Content-Length")) != head.npos);
  CHECK(response.body == "{\"status\":\"ok\"}\n");
}

// An answer that no socket buffer holds.
std::string large_answer(const ApiFixture& api) {
  const std::string body = R"({"argv":["true",")" + std::string(20'000, 'x') + R"("]})";
  for (int i = 0; i < 20; ++i) api.submit(body);
  return get("/v1/tasks?limit=20");
}

TEST_CASE("readers that take nothing hold no thread, and get everything when they wake up") {
  ServerLimits limits;
  limits.threads = 2;
  limits.write_time_ms = 600'000;  // however slow the machine is
  const ApiFixture api(limits);
  const std::string request = large_answer(api);
  std::vector<RawClient> slow;
  for (int i = 0; i < 8; ++i) {
    slow.push_back(api.connect());
    slow.back().send(request + get("/v1/healthz"));
  }
  for (int i = 0; i < 20; ++i) CHECK(api.ask(get("/v1/healthz")).status == 200);
  for (RawClient& client : slow) {
    const Response response = client.receive();
    REQUIRE(response.complete);
    CHECK(response.json().at("tasks").size() == 20);
    CHECK(client.receive().status == 200);
  }
}

TEST_CASE("a reader that takes nothing for too long loses the connection") {
  ServerLimits limits;
  limits.write_time_ms = 50;
  const ApiFixture api(limits);
  const std::string request = large_answer(api);
  RawClient slow = api.connect();
  slow.send(request);
  // The cut shows as a full close, which needs no reading to be seen.
  pollfd poll_fd{slow.fd(), 0, 0};
  CHECK(::poll(&poll_fd, 1, 10'000) == 1);
  CHECK_FALSE(slow.receive().complete);
}

TEST_CASE("a header named REMOTE_ADDR makes nobody somebody else") {
  const ApiFixture api;
  const std::string spoof =
      "REMOTE_ADDR: 4242\r\nRemote-Addr: 4242\r\nREMOTE_PORT: 1\r\nX-Forwarded-For: 4242\r\n";
  const Response response = api.ask(post("/v1/tasks", R"({"argv":["true"]})", spoof));
  REQUIRE(response.status == 201);
  CHECK(response.json().at("uid") == ::geteuid());
}

}  // namespace
}  // namespace taskd::test
