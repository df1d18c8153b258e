// A whole API over a real Unix socket and a real store, and a client that says exactly the bytes it
// is told to. No engine: the tests claim and finish tasks themselves.
#pragma once

#include <doctest/doctest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "daemon/api/http/listen.h"
#include "daemon/api/server.h"
#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"
#include "daemon/engine/notifier.h"
#include "daemon/engine/task_watch.h"
#include "daemon/store/task_store.h"
#include "wire/wire.h"
#include "tests/support/fake_launcher.h"
#include "tests/support/temp_dir.h"

namespace taskd::test {

struct Response {
  int status = 0;
  std::string head;  // with the status line, up to and with the empty line
  std::string body;
  bool complete = false;  // all that the head promised has come

  nlohmann::json json() const {
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    CHECK_MESSAGE(!parsed.is_discarded(), body);
    return parsed;
  }
  std::string code() const {
    const auto parsed = nlohmann::json::parse(body, nullptr, false);
    return parsed.is_object() ? parsed.value("code", "") : "";
  }
  std::string header(std::string_view name) const {
    const auto at = head.find("\r\n" + std::string(name) + ": ");
    if (at == head.npos) return "";
    const auto begin = at + name.size() + 4;
    return head.substr(begin, head.find("\r\n", begin) - begin);
  }
};

// Until an answer counts as missing: a large batch takes a sanitizer on a busy machine its time.
inline constexpr int kTimeoutMs = 60'000;

class RawClient {
 public:
  explicit RawClient(const std::string& path)
      : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }

  // False when the server has closed its end.
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t n = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (n < 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(n));
    }
    return true;
  }
  void half_close() { ::shutdown(fd_.get(), SHUT_WR); }
  void close() { fd_.reset(); }
  int fd() const { return fd_.get(); }

  // The next response; status 0 when the server closed or was silent for `timeout_ms`.
  Response receive(int timeout_ms = kTimeoutMs) {
    Response response;
    while (input_.find("\r\n\r\n") == input_.npos) {
      if (!more(timeout_ms)) return response;
    }
    const auto head_bytes = input_.find("\r\n\r\n") + 4;
    response.head = take(head_bytes);
    response.status = std::stoi(response.head.substr(9, 3));
    if (response.status == 100) return response;
    if (response.head.find("Transfer-Encoding: chunked") != response.head.npos) {
      while (const auto chunk = receive_chunk(timeout_ms)) {
        response.body += *chunk;
        if (chunk->empty()) response.complete = true;
        if (chunk->empty()) break;
      }
      return response;
    }
    const std::string length = response.header("Content-Length");
    const std::size_t body_bytes = length.empty() ? std::string::npos : std::stoul(length);
    while (input_.size() < body_bytes && more(timeout_ms)) {
    }
    response.complete = input_.size() >= body_bytes || length.empty();
    response.body = take(std::min(body_bytes, input_.size()));
    return response;
  }

  // Only the head of a stream; its chunks come from receive_chunk().
  std::string receive_head() {
    while (input_.find("\r\n\r\n") == input_.npos) {
      if (!more(kTimeoutMs)) return "";
    }
    return take(input_.find("\r\n\r\n") + 4);
  }
  // Empty at the good end; nothing when the stream was cut.
  std::optional<std::string> receive_chunk(int timeout_ms = kTimeoutMs) {
    while (input_.find("\r\n") == input_.npos) {
      if (!more(timeout_ms)) return std::nullopt;
    }
    const auto line = input_.find("\r\n");
    const std::size_t bytes = std::stoul(input_.substr(0, line), nullptr, 16);
    while (input_.size() < line + 2 + bytes + 2) {
      if (!more(timeout_ms)) return std::nullopt;
    }
    take(line + 2);
    std::string chunk = take(bytes);
    take(2);
    return chunk;
  }

  bool closed_by_server(int timeout_ms = kTimeoutMs) {
    while (more(timeout_ms)) {
    }
    return closed_;
  }

 private:
  bool more(int timeout_ms) {
    if (closed_) return false;
    pollfd poll_fd{fd_.get(), POLLIN, 0};
    if (::poll(&poll_fd, 1, timeout_ms) != 1) return false;
    char buffer[65536];
    const ssize_t n = ::recv(fd_.get(), buffer, sizeof buffer, 0);
    if (n <= 0) closed_ = true;
    if (n > 0) input_.append(buffer, static_cast<std::size_t>(n));
    return n > 0;
  }
  std::string take(std::size_t bytes) {
    std::string taken = input_.substr(0, bytes);
    input_.erase(0, bytes);
    return taken;
  }

  UniqueFd fd_;
  std::string input_;
  bool closed_ = false;
};

inline std::string task(TaskId id, const std::string& suffix = "") {
  return "/v1/tasks/" + std::to_string(id) + suffix;
}
inline std::string remove(const std::string& target) {
  return "DELETE " + target + " HTTP/1.1\r\nHost: t\r\n\r\n";
}
inline std::string get(const std::string& target) {
  return "GET " + target + " HTTP/1.1\r\nHost: taskd\r\n\r\n";
}
inline std::string with_body(const std::string& method, const std::string& target,
                             const std::string& body, const std::string& headers) {
  return method + " " + target + " HTTP/1.1\r\nHost: taskd\r\nContent-Type: application/json\r\n" +
         headers + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
inline std::string post(const std::string& target, const std::string& body,
                        const std::string& headers = "") {
  return with_body("POST", target, body, headers);
}
inline std::string put(const std::string& target, const std::string& body = "{}") {
  return with_body("PUT", target, body, "");
}
inline std::string patch(const std::string& target, const std::string& body,
                         const std::string& headers = "") {
  return with_body("PATCH", target, body, headers);
}

using Ids = std::vector<TaskId>;

class ApiFixture {
 public:
  explicit ApiFixture(ServerLimits limits = {}, std::vector<Hook> hooks = {},
                      Handlers handlers = {})
      : limits_(limits), hooks_(std::move(hooks)), handlers_(std::move(handlers)) {
    std::filesystem::create_directory(attempts_dir());
    StoreOptions options;
    options.path = dir_.path() + "/taskd.db";
    options.boot_id = "test-boot";
    options.ballast_bytes = 4096;
    options.clock = &clock_;
    for (const Hook& hook : hooks_) options.hooks.push_back({hook.name, hook.on});
    options.describe_task = [](const Task& task) { return task_state_to_text(task); };
    options.describe_spec = [](const TaskSpec& spec) { return spec_to_text(spec); };
    options.on_commit = [this](std::span<const Change> changes) { watch_->publish(changes); };
    options.on_fatal = [](const std::string&) { std::abort(); };
    store_ = TaskStore::open(options);
    listener_ = listen_unix(socket_path(), 0666);
    start();
  }
  ~ApiFixture() { stop(); }

  void start() {
    watch_ = std::make_unique<TaskWatch>();
    notifier_ = std::make_unique<Notifier>(*store_, clock_, clock_, hooks_, socket_path(),
                                           [](const std::string&) { std::abort(); });
    progress_ =
        std::make_unique<ProgressBoard>(*store_, clock_, [](const std::string&) { std::abort(); });
    progress_->start();
    server_ = std::make_unique<ApiServer>(ApiContext{*store_,
                                                     *watch_,
                                                     launcher_,
                                                     *progress_,
                                                     running_,
                                                     clock_,
                                                     attempts_dir(),
                                                     "test",
                                                     clock_.wall_now(),
                                                     [] {
                                                       return WorkerCounts{2, 1};
                                                     },
                                                     notifier_.get(),
                                                     {},
                                                     &handlers_},
                                          limits_);
    thread_ = std::thread([this] { server_->serve(listener_.get()); });
  }
  void stop() {
    if (!thread_.joinable()) return;
    watch_->close();
    notifier_->stop();
    server_->stop();
    thread_.join();
    progress_->stop();
  }

  RawClient connect() const { return RawClient(socket_path()); }
  Response ask(const std::string& request) const {
    RawClient client = connect();
    CHECK(client.send(request));
    return client.receive();
  }
  TaskId submit(const std::string& body = R"({"argv":["true"]})") const {
    const Response response = ask(post("/v1/tasks", body));
    REQUIRE_MESSAGE(response.status == 201, response.body);
    return response.json().at("id");
  }
  std::size_t rows() const {
    ListRequest request;
    request.actor = {0, true};
    request.limit = 100'000;
    return store_->list(request).size();
  }
  Claim claim() const {
    auto claims = store_->claim(1).claims;
    REQUIRE(claims.size() == 1);
    return claims.front();
  }
  void finish(const Claim& claim, int exit_code = 0) const {
    AttemptEnd end;
    end.outcome = {OutcomeKind::exited, exit_code, {}};
    const Finish finish{claim.task, claim.attempt, claim.token, end};
    CHECK(store_->finish({&finish, 1}, 0).front().accepted);
  }

  std::string socket_path() const { return dir_.path() + "/taskctl.sock"; }
  std::string database() const { return dir_.path() + "/taskd.db"; }
  std::string attempts_dir() const { return dir_.path() + "/attempts"; }
  TaskStore& store() const { return *store_; }
  TaskWatch& watch() const { return *watch_; }
  Notifier& notifier() const { return *notifier_; }  // without its threads
  FakeLauncher& launcher() { return launcher_; }
  RunningSet& running() { return running_; }
  void write_progress() { progress_->stop(); }

 private:
  const ServerLimits limits_;
  const std::vector<Hook> hooks_;
  const Handlers handlers_;
  TempDir dir_{std::filesystem::temp_directory_path(), 0755};
  SystemClock clock_;
  FakeLauncher launcher_;
  std::unique_ptr<TaskWatch> watch_;
  std::unique_ptr<TaskStore> store_;
  std::unique_ptr<ProgressBoard> progress_;
  RunningSet running_;
  std::unique_ptr<Notifier> notifier_;
  UniqueFd listener_;
  std::unique_ptr<ApiServer> server_;
  std::thread thread_;
};

}  // namespace taskd::test
