#include "daemon/hooks/webhook.h"

#include <doctest/doctest.h>
#include <netdb.h>
#include <stdlib.h>

#include <array>
#include <filesystem>
#include <thread>

#include "daemon/base/event_fd.h"
#include "daemon/hooks/dial.h"
#include "daemon/hooks/signature.h"
#include "tests/support/http_receiver.h"

using namespace taskd;
using namespace taskd::test;

namespace {

constexpr WallTime kNow{1'700'000'000'123};

HookMessage message() {
  return {"d1", "chat", "failed", {1'699'999'999'000}, R"({"id":7})"};
}

SendResult post(const std::string& url, std::int64_t timeout_ms = 60'000,
                const std::string& secret = "", int stop_fd = -1) {
  Hook hook;
  hook.name = "chat";
  hook.url = url;
  hook.secret = secret;
  hook.timeout_ms = timeout_ms;
  return Webhook(hook).post(message(), kNow, stop_fd);
}

SendResult post_to(const HttpReceiver::Answer& answer, std::int64_t timeout_ms = 60'000) {
  HttpReceiver server([&](const auto&, std::size_t) { return answer; });
  return post(server.url(), timeout_ms);
}

// An address of this machine, and perhaps those after it, as a look-up gives them.
class AddressList {
 public:
  explicit AddressList(int port, addrinfo* next = nullptr) {
    address_.sin_family = AF_INET;
    address_.sin_port = htons(static_cast<std::uint16_t>(port));
    address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    entry_.ai_family = AF_INET;
    entry_.ai_addr = reinterpret_cast<sockaddr*>(&address_);
    entry_.ai_addrlen = sizeof address_;
    entry_.ai_next = next;
  }
  addrinfo* get() { return &entry_; }

 private:
  sockaddr_in address_{};
  addrinfo entry_{};
};

// Its queue of connections is full and nobody takes any, so the kernel leaves the next unanswered.
class SilentListener {
 public:
  SilentListener() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto* const place = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(listener_.get(), place, sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 0) == 0);
    socklen_t size = sizeof address;
    REQUIRE(::getsockname(listener_.get(), place, &size) == 0);
    port_ = ntohs(address.sin_port);
    for (UniqueFd& caller : callers_) {
      caller.reset(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      ::connect(caller.get(), place, sizeof address);
    }
  }
  int port() const { return port_; }

 private:
  UniqueFd listener_;
  std::array<UniqueFd, 4> callers_;
  int port_ = 0;
};

}  // namespace

TEST_CASE("a webhook is one signed POST of the document") {
  HttpReceiver server;
  const std::string secret = "0123456789abcdef";
  CHECK(post(server.url("/in?a=%20b"), 60'000, secret).outcome == SendOutcome::delivered);
  const auto request = server.wait_for(1).at(0);
  CHECK(request.line == "POST /in?a=%20b HTTP/1.1");
  CHECK(request.body ==
        R"({"at":"2023-11-14T22:13:19.000Z","delivery":"d1","event":"failed","hook":"chat",)"
        R"("version":1,"task":{"id":7}})"
        "\n");
  const auto& headers = request.headers;
  CHECK(headers.at("Host") == "127.0.0.1:" + std::to_string(server.port()));
  CHECK(headers.at("Content-Type") == "application/json");
  CHECK(headers.at("Taskd-Hook") == "chat");
  CHECK(headers.at("Taskd-Event") == "failed");
  CHECK(headers.at("Taskd-Delivery") == "d1");
  CHECK(headers.at("Taskd-Timestamp") == "1700000000");
  CHECK(headers.at("Taskd-Signature") == hook_signature(secret, "1700000000", request.body));
}

// printf '1700000000.{}' | openssl dgst -sha256 -hmac 0123456789abcdef
TEST_CASE("the signature is an HMAC-SHA256 over time stamp, dot and body") {
  CHECK(hook_signature("0123456789abcdef", "1700000000", "{}") ==
        "sha256=e4f8e2ecae2295b2ddb2f0b5584c8275e226c0ebe9b3b819e70156bb67122e3e");
}

TEST_CASE("without a secret a webhook is not signed") {
  HttpReceiver server;
  post(server.url());
  CHECK_FALSE(server.wait_for(1).at(0).headers.contains("Taskd-Signature"));
}

TEST_CASE("what a webhook answers decides what becomes of the delivery") {
  for (const int status : {200, 201, 204, 299}) {
    CHECK(post_to(HttpReceiver::status(status)).outcome == SendOutcome::delivered);
  }
  CHECK(post_to(HttpReceiver::status(410)).outcome == SendOutcome::gone);
  for (const int status : {400, 404, 408, 429, 500, 503, 599}) {
    const SendResult result = post_to(HttpReceiver::status(status));
    const bool is_down = status == 429 || status >= 500;
    CHECK(result.outcome == (is_down ? SendOutcome::down : SendOutcome::refused));
    CHECK(result.error == "it answered " + std::to_string(status));
  }
}

TEST_CASE("a redirect is not followed") {
  HttpReceiver elsewhere;
  const SendResult result =
      post_to(HttpReceiver::status(307, "Location: " + elsewhere.url() + "\r\n"));
  CHECK(result.outcome == SendOutcome::refused);
  CHECK(result.error == "it answered 307, and redirects are not followed");
  CHECK(elsewhere.received().empty());
}

TEST_CASE("a webhook that is silent, or drips its answer, is given its timeout and no more") {
  CHECK(post_to({.bytes = "", .hang = true}, 200).outcome == SendOutcome::down);
  CHECK(post_to({.bytes = "", .hang = true}, 200).error ==
        "no answer in time (while waiting for its answer)");
  const std::string endless = "HTTP/1.1 200 OK\r\nX: " + std::string(10'000, 'x');
  CHECK(post_to({.bytes = endless, .hang = true, .drip_ms = 20}, 300).error ==
        "no answer in time (while waiting for its answer)");
}

TEST_CASE("a webhook whose answer is no HTTP, is cut off or is endless is refused") {
  CHECK(post_to({.bytes = "SSH-2.0-OpenSSH\r\n\r\n"}).error ==
        "its answer is not HTTP, or was cut off");
  CHECK(post_to({.bytes = "HTTP/1.1 200 OK\r\nX: y"}).error ==
        "its answer is not HTTP, or was cut off");
  CHECK(post_to({.bytes = ""}).error == "its answer is not HTTP, or was cut off");
  std::string endless = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 10'000; ++i) endless += "X-" + std::to_string(i) + ": y\r\n";
  CHECK(post_to({.bytes = endless, .hang = true}).outcome == SendOutcome::down);
}

TEST_CASE("of an answer's body nothing is waited for") {
  CHECK(post_to({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n", .hang = true})
            .outcome == SendOutcome::delivered);
}

TEST_CASE("where nobody listens, or a name has no address, a delivery is refused") {
  int port = 0;
  {
    const HttpReceiver gone;
    port = gone.port();
  }
  CHECK(post("http://127.0.0.1:" + std::to_string(port)).error ==
        "cannot connect: Connection refused");
  CHECK(post("unix:/nonexistent/sock").error == "cannot connect: No such file or directory");
  CHECK(post("http://no-such-host.invalid/").outcome == SendOutcome::down);
}

TEST_CASE("a webhook may listen on a Unix socket") {
  const std::string path =
      (std::filesystem::temp_directory_path() / ("taskd-hook-" + std::to_string(::getpid())))
          .string();
  HttpReceiver server([](const auto&, std::size_t) { return HttpReceiver::status(200); }, path);
  CHECK(post("unix:" + path).outcome == SendOutcome::delivered);
  CHECK(server.wait_for(1).at(0).headers.at("Host") == "localhost");
  std::filesystem::remove(path);
}

TEST_CASE("an address that is silent or of no use here takes its share, and the next is tried") {
  const SilentListener silent;
  HttpReceiver server;
  AddressList good(server.port());
  AddressList hangs(silent.port(), good.get());
  AddressList unknown(server.port(), hangs.get());
  unknown.get()->ai_addr->sa_family = AF_MAX;  // as on a machine without IPv6
  CHECK(connect_to_any(unknown.get(), HookDeadline(900, -1)));
  AddressList refused(1);
  hangs.get()->ai_next = refused.get();
  CHECK_THROWS_WITH_AS(connect_to_any(hangs.get(), HookDeadline(200, -1)),
                       "cannot connect: Connection refused", HookFailure);
  hangs.get()->ai_next = nullptr;
  CHECK_THROWS_WITH_AS(connect_to_any(hangs.get(), HookDeadline(100, -1)),
                       "no answer in time (while connecting)", HookFailure);
  EventFd stop;
  stop.raise();
  hangs.get()->ai_next = good.get();
  CHECK_THROWS_AS(connect_to_any(hangs.get(), HookDeadline(60'000, stop.get())), HookInterrupted);
}

TEST_CASE("a webhook is cut off when the daemon stops") {
  HttpReceiver server(
      [](const auto&, std::size_t) { return HttpReceiver::Answer{.bytes = "", .hang = true}; });
  EventFd stop;
  std::thread stopper([&] {
    server.wait_for(1);
    stop.raise();
  });
  const SendResult result = post(server.url(), 60'000, "", stop.get());
  stopper.join();
  CHECK(result.outcome == SendOutcome::interrupted);
}
