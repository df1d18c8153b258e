#include <chrono>
#include <fstream>

#include "daemon/process/output.h"
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

// Writes what a shim would write.
void write_output(const ApiFixture& api, TaskId id, int attempt, const std::string& text,
                  const std::string& stream = "stdout") {
  const std::string dir = attempt_dir(api.attempts_dir(), id, attempt);
  std::filesystem::create_directories(dir);
  std::ofstream(dir + "/" + stream + ".0", std::ios::app) << text;
}

TEST_CASE("wait answers when the task has ended, and at once when it had") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  RawClient client = api.connect();
  client.send(get(task(id, "/wait")));
  CHECK(client.receive(50).status == 0);
  api.finish(claim, 7);
  const Response response = client.receive();
  CHECK(response.status == 200);
  CHECK(response.json().at("state") == "failed");
  CHECK(response.json().at("exit_code") == 7);
  CHECK(api.ask(get(task(id, "/wait"))).json().at("state") == "failed");
}

TEST_CASE("wait answers with the task as it is at the timeout") {
  const ApiFixture api;
  const TaskId id = api.submit();
  CHECK(api.ask(get(task(id, "/wait?timeout_ms=0"))).json().at("state") == "queued");
  CHECK(api.ask(get(task(id, "/wait?timeout_ms=30"))).json().at("state") == "queued");
}

TEST_CASE("waiting for a task that does not exist is refused") {
  const ApiFixture api;
  CHECK(api.ask(get("/v1/tasks/5/wait")).code() == "no_such_task");
}

TEST_CASE("logs give the asked part of the asked stream and attempt") {
  const ApiFixture api;
  const TaskId id = api.submit();
  CHECK(api.ask(get(task(id, "/logs"))).code() == "no_such_attempt");
  const Claim claim = api.claim();
  CHECK(api.ask(get(task(id, "/logs"))).body.empty());
  write_output(api, id, 1, "hello world\n");
  write_output(api, id, 1, "oops\n", "stderr");
  const Response all = api.ask(get(task(id, "/logs")));
  CHECK(all.status == 200);
  CHECK(all.header("Content-Type") == "application/octet-stream");
  CHECK(all.header("Taskd-Next-Offset") == "12");
  CHECK(all.body == "hello world\n");
  CHECK(api.ask(get(task(id, "/logs?offset=6"))).body == "world\n");
  CHECK(api.ask(get(task(id, "/logs?tail=3"))).body == "ld\n");
  CHECK(api.ask(get(task(id, "/logs?stream=stderr&attempt=1"))).body == "oops\n");
  CHECK(api.ask(get(task(id, "/logs?attempt=2"))).code() == "no_such_attempt");
  CHECK(api.ask(get(task(id, "/logs?attempt=2&follow=true"))).code() == "no_such_attempt");
  api.finish(claim);
}

TEST_CASE("follow sends all output as it comes and ends with the attempt") {
  const ApiFixture api;
  const TaskId id = api.submit();
  RawClient client = api.connect();
  client.send(get(task(id, "/logs?follow=true")));
  const std::string head = client.receive_head();
  CHECK(head.find("HTTP/1.1 200 OK\r\n") == 0);
  CHECK(head.find("Transfer-Encoding: chunked") != head.npos);
  CHECK(client.receive_chunk(50) == std::nullopt);  // no attempt yet
  const Claim claim = api.claim();
  write_output(api, id, 1, "one\n");
  CHECK(client.receive_chunk() == "one\n");
  write_output(api, id, 1, "two\n");
  CHECK(client.receive_chunk() == "two\n");
  write_output(api, id, 1, "last\n");
  api.finish(claim);
  CHECK(client.receive_chunk() == "last\n");
  CHECK(client.receive_chunk() == "");
  // The connection goes on.
  client.send(get("/v1/healthz"));
  CHECK(client.receive().status == 200);
}

TEST_CASE("following an ended attempt gives all of it at once") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += std::to_string(i) + '\n';
  write_output(api, id, 1, text);
  api.finish(claim);
  const Response response = api.ask(get(task(id, "/logs?follow=true")));
  CHECK(response.complete);
  CHECK(response.body == text);
  CHECK(api.ask(get(task(id, "/logs?follow=true&tail=7"))).body == "199999\n");
}

TEST_CASE("following an attempt with a high number ends with it, as any other") {
  ApiFixture api;
  const TaskId id = api.submit();
  for (int attempt = 1; attempt <= 1002; ++attempt) {
    api.finish(api.claim(), 1);
    REQUIRE(api.ask(post(task(id, "/retry"), "{}")).status == 200);
  }
  for (const char* number : {"1001", "1002"}) {
    const Response answer = api.ask(get(task(id, "/logs?follow=true&attempt=") + number));
    CHECK(answer.status == 200);
    CHECK(answer.complete);
  }
}

TEST_CASE("a stream to HTTP/1.0 ends with the connection") {
  const ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  write_output(api, id, 1, "text");
  api.finish(claim);
  RawClient client = api.connect();
  client.send("GET " + task(id, "/logs?follow=true") + " HTTP/1.0\r\n\r\n");
  const Response response = client.receive();
  CHECK(response.head.find("chunked") == std::string::npos);
  CHECK(response.body == "text");
  CHECK(client.closed_by_server());
}

TEST_CASE("follow ends when the task is cancelled before its first attempt") {
  const ApiFixture api;
  const TaskId id = api.submit();
  RawClient client = api.connect();
  client.send(get(task(id, "/logs?follow=true")));
  client.receive_head();
  CHECK(api.ask(post(task(id, "/cancel"), "")).status == 200);
  CHECK(client.receive_chunk() == "");
  CHECK(api.ask(get(task(id, "/logs?follow=true"))).code() == "no_such_attempt");
}

TEST_CASE("a follower or waiter that goes away frees its place at once") {
  ServerLimits limits;
  limits.max_streams = 1;
  limits.max_waits = 1;
  const ApiFixture api(limits);
  const TaskId id = api.submit();
  // Each can wait only once the one before it has given its place up, which nobody is told of.
  for (const char* what : {"/wait", "/logs?follow=true", "/wait", "/logs?follow=true", "/wait"}) {
    bool waits = false;
    const auto start = std::chrono::steady_clock::now();
    while (!waits && std::chrono::steady_clock::now() - start < std::chrono::seconds(20)) {
      RawClient client = api.connect();
      client.send(get(task(id, what)));
      RawClient second = api.connect();
      second.send(get(task(id, std::string(what) == "/wait" ? "/wait?timeout_ms=300" : what)));
      const bool is_full = second.receive(300).code() == "too_many_requests";
      waits = is_full && client.receive(30).body.empty();
    }
    CAPTURE(what);
    CHECK(waits);
  }
}

}  // namespace
}  // namespace taskd::test
