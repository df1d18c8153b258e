#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>

#include "daemon/process/output.h"
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

TEST_CASE("300 idle and 40 half-sent connections do not delay a request") {
  const ApiFixture api;
  std::vector<RawClient> others;
  for (int i = 0; i < 340; ++i) {
    others.push_back(api.connect());
    if (i % 8 == 0) others.back().send("POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Le");
  }
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) CHECK(api.ask(get("/v1/stats")).status == 200);
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(2));
  others.front().send("ngth: 0\r\n\r\n");  // the slow are served too
  CHECK(others.front().receive().code() == "bad_json");
}

TEST_CASE("when there is no room for more, the connection idle for longest makes way") {
  ServerLimits limits;
  limits.max_connections = 4;
  limits.threads = 1;  // so that each is parked before the next is answered
  const ApiFixture api(limits);
  std::vector<RawClient> clients;
  for (int i = 0; i < 6; ++i) {
    clients.push_back(api.connect());
    clients.back().send(get("/v1/healthz"));
    CHECK(clients.back().receive().status == 200);
  }
  CHECK(clients[0].closed_by_server());
  CHECK(clients[1].closed_by_server());
  clients[5].send(get("/v1/healthz"));
  CHECK(clients[5].receive().status == 200);
}

TEST_CASE("stopping ends waiting requests with 503 and leaves the listening socket usable") {
  ApiFixture api;
  const TaskId id = api.submit();
  RawClient waiting = api.connect();
  waiting.send(get("/v1/tasks/" + std::to_string(id) + "/wait"));
  RawClient following = api.connect();
  following.send(get("/v1/tasks/" + std::to_string(id) + "/logs?follow=true"));
  CHECK(following.receive_head().find("200") != std::string::npos);
  RawClient idle = api.connect();
  idle.send(get("/v1/healthz"));
  CHECK(idle.receive().status == 200);

  std::optional<RawClient> late;
  std::thread stopper([&] { api.stop(); });
  const Response response = waiting.receive();
  CHECK(response.status == 503);
  CHECK(response.code() == "shutting_down");
  CHECK(following.receive_chunk() == std::nullopt);  // cut, not ended
  CHECK(idle.closed_by_server());
  stopper.join();

  late.emplace(api.connect());  // into the backlog
  late->send(get("/v1/healthz"));
  api.start();
  CHECK(late->receive().status == 200);
}

TEST_CASE("an adopted blocking listening socket is served like our own") {
  const TempDir dir;
  const std::string path = dir.path() + "/adopted.sock";
  const UniqueFd listener = listen_unix(path, 0600);
  REQUIRE(::fcntl(listener.get(), F_SETFL, 0) == 0);
  const ApiFixture other;
  TaskWatch watch;
  FakeLauncher launcher;
  SystemClock clock;
  ProgressBoard progress(other.store(), clock, [](const std::string&) { std::abort(); });
  RunningSet running;
  ApiServer server(
      {other.store(), watch, launcher, progress, running, clock, dir.path(), "test", {}, [] {
         return WorkerCounts{};
       }});
  std::thread thread([&] { server.serve(listener.get()); });
  for (int i = 0; i < 3; ++i) {
    RawClient client(path);
    client.send(get("/v1/healthz"));
    CHECK(client.receive().status == 200);
  }
  server.stop();
  thread.join();
  RawClient client(path);  // still listening
}

TEST_CASE("waiting requests beyond their number are refused, and the others do not notice") {
  ServerLimits limits;
  limits.threads = 1;
  limits.max_waits = 4;
  const ApiFixture api(limits);
  const std::string wait = get("/v1/tasks/" + std::to_string(api.submit()) + "/wait");
  std::vector<RawClient> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(api.connect());
    waiting.back().send(wait);
    CHECK(waiting.back().receive(50).status == 0);
  }
  const Response refused = api.ask(wait);
  CHECK(refused.status == 503);
  CHECK(refused.code() == "too_many_requests");
  CHECK(api.ask(get("/v1/healthz")).status == 200);
  // A client that goes away gives its place back.
  waiting.pop_back();
  int status = 503;
  for (int i = 0; i < 100 && status == 503; ++i) {
    RawClient client = api.connect();
    client.send(get("/v1/tasks/1/wait?timeout_ms=1"));
    status = client.receive().status;
  }
  CHECK(status == 200);
}

TEST_CASE("hundreds of clients at once are all served") {
  const ApiFixture api;
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        RawClient client = api.connect();
        client.send(post("/v1/tasks", R"({"argv":["true"]})"));
        if (client.receive().status == 201) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(good == 400);
  CHECK(api.rows() == 400);
}

// Runs `body` in a child with that uid; the child's exit status tells how it went.
template <class Body>
bool as_uid(uid_t uid, Body body) {
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(uid) != 0 || ::setuid(uid) != 0) ::_exit(2);
    ::_exit(body() ? 0 : 1);
  }
  int status = 0;
  REQUIRE(::waitpid(pid, &status, 0) == pid);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST_CASE("another user sees and changes only its own tasks" * doctest::skip(::geteuid() != 0)) {
  const ApiFixture api;
  const TaskId mine = api.submit();
  constexpr uid_t kNobody = 65534;
  const std::string path = api.socket_path();
  const std::string task = "/v1/tasks/" + std::to_string(mine);
  const auto status_of = [&](const std::string& request) {
    RawClient client(path);
    client.send(request);
    return client.receive().status;
  };
  CHECK(as_uid(kNobody, [&] {
    for (const char* suffix : {"", "/wait?timeout_ms=0", "/logs", "/attempts"}) {
      if (status_of(get(task + suffix)) != 404) return false;
    }
    for (const char* verb : {"/cancel", "/retry", "/hold", "/release"}) {
      if (status_of(post(task + verb, "")) != 404) return false;
    }
    return status_of("DELETE " + task + " HTTP/1.1\r\nHost: t\r\n\r\n") == 404 &&
           status_of(get("/v1/tasks/last")) == 404 &&
           status_of(post("/v1/tasks", R"({"argv":["id"],"user":"root"})")) == 403 &&
           status_of(post("/v1/tasks", R"({"argv":["id"],"user":0})")) == 403 &&
           status_of(post("/v1/tasks", R"({"argv":["id"],"user":65534})")) == 201;
  }));
  CHECK(api.ask(get("/v1/tasks?limit=1")).json().at("tasks").at(0).at("uid") == kNobody);
  CHECK(api.ask(get(task)).json().at("state") == "queued");
  CHECK(api.ask(post("/v1/tasks", R"({"argv":["id"],"user":"nobody"})")).status == 201);
}

// The descriptors of this process are all taken, so the server cannot accept; it must neither spin
// nor stay deaf afterwards.
#ifndef __SANITIZE_ADDRESS__  // its checks of pointers need descriptors of their own
TEST_CASE("out of descriptors, the server makes room or waits, and comes back") {
  const ApiFixture api;
  RawClient idle = api.connect();
  idle.send(get("/v1/healthz"));
  CHECK(idle.receive().status == 200);
  std::vector<RawClient> clients;
  clients.push_back(api.connect());

  rlimit old{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &old) == 0);
  std::vector<UniqueFd> hoard;
  const rlimit low{256, old.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  for (;;) {
    UniqueFd fd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (!fd) break;
    hoard.push_back(std::move(fd));
  }
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, api.socket_path().data(), api.socket_path().size());
  CHECK(::connect(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  const std::string request = get("/v1/healthz");
  CHECK(::send(socket.get(), request.data(), request.size(), 0) > 0);
  // One of the two idle connections was closed for it, or it waits in the backlog.
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  pollfd poll_fd{socket.get(), POLLIN, 0};
  ::poll(&poll_fd, 1, 700);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  const auto cpu_ms = [](const rusage& usage) {
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
  };
  CHECK(cpu_ms(after) - cpu_ms(before) < 100);
  hoard.clear();
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &old) == 0);
  CHECK(::poll(&poll_fd, 1, 10'000) == 1);
  CHECK(api.ask(get("/v1/healthz")).status == 200);
}
#endif

std::size_t threads_of_this_process() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<std::size_t>(std::distance(begin(tasks), end(tasks)));
}

TEST_CASE("threads that stood in for waiting ones end when those come back") {
  ServerLimits limits;
  limits.threads = 2;
  const ApiFixture api(limits);
  api.submit();
  const std::size_t before = threads_of_this_process();
  {
    std::vector<RawClient> waiting;
    for (int i = 0; i < 40; ++i) {
      waiting.push_back(api.connect());
      waiting.back().send(get("/v1/tasks/1/logs?follow=true"));
      CHECK(!waiting.back().receive_head().empty());
    }
    CHECK(threads_of_this_process() >= before + 38);
  }
  const auto start = std::chrono::steady_clock::now();
  while (threads_of_this_process() > before + 2 &&
         std::chrono::steady_clock::now() - start < std::chrono::seconds(20)) {
    CHECK(api.ask(get("/v1/healthz")).status == 200);
  }
  CHECK(threads_of_this_process() <= before + 2);
}

TEST_CASE("with nobody connected the server does not wake up") {
  ServerLimits limits;
  limits.idle_time_ms = 50;
  const ApiFixture api(limits);
  RawClient client = api.connect();
  CHECK(client.closed_by_server());
  rusage before{};
  ::getrusage(RUSAGE_SELF, &before);
  ::poll(nullptr, 0, 400);
  rusage after{};
  ::getrusage(RUSAGE_SELF, &after);
  // Our own sleep, the thread that closed, and what a sanitizer does in the background.
  CHECK(after.ru_nvcsw - before.ru_nvcsw < 10);
}

TEST_CASE("a follower that takes nothing does not hold up a stop") {
  ApiFixture api;
  const TaskId id = api.submit();
  const Claim claim = api.claim();
  const std::string dir = attempt_dir(api.attempts_dir(), id, claim.attempt);
  std::filesystem::create_directories(dir);
  std::ofstream(dir + "/stdout.0") << std::string(4 << 20, 'x');
  RawClient client = api.connect();
  client.send(get("/v1/tasks/last/logs?follow=true"));
  CHECK(!client.receive_head().empty());
  const auto start = std::chrono::steady_clock::now();
  api.stop();
  CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(10));
}

}  // namespace
}  // namespace taskd::test
