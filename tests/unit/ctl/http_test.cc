// The HTTP client against well-formed, broken and hostile answers.
#include "ctl/net/http.h"

#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "ctl/net/client.h"
#include "ctl/options/submit_options.h"
#include "tests/support/temp_dir.h"

using namespace taskd;
using namespace taskd::ctl;

namespace {

// Feeds `bytes` in pieces of `piece` bytes.
ResponseParser parsed(std::string_view bytes, std::size_t piece) {
  ResponseParser parser;
  for (std::size_t i = 0; i < bytes.size(); i += piece) parser.feed(bytes.substr(i, piece));
  return parser;
}

bool is_refused(std::string_view bytes) {
  bool whole = false;
  bool bytewise = false;
  try {
    parsed(bytes, bytes.size());
  } catch (const ProtocolError&) {
    whole = true;
  }
  try {
    parsed(bytes, 1);
  } catch (const ProtocolError&) {
    bytewise = true;
  }
  CHECK(whole == bytewise);
  return whole;
}

const std::string kOk = "HTTP/1.1 200 OK\r\n";

// A folder with a listening socket in it.
class Listener {
 public:
  explicit Listener(int backlog = 16) {
    path = folder_ / "s";
    fd_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size());
    REQUIRE(::bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(fd_.get(), backlog) == 0);
  }

  UniqueFd accept() const { return UniqueFd(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  // Answers one request with these bytes and closes. Returns the request's head.
  std::string serve(std::string_view bytes) const { return answer(accept(), bytes); }
  // The same, and nobody listens any more.
  void serve_last(std::string_view bytes) {
    const UniqueFd peer = accept();
    fd_.reset();
    answer(peer, bytes);
  }

  std::string path;

 private:
  static std::string answer(const UniqueFd& peer, std::string_view bytes) {
    std::string request;
    char buffer[4096];
    while (request.find("\r\n\r\n") == std::string::npos) {
      const ssize_t count = ::recv(peer.get(), buffer, sizeof buffer, 0);
      if (count <= 0) break;
      request.append(buffer, static_cast<std::size_t>(count));
    }
    ::send(peer.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    return request;
  }

  test::TempDir folder_;
  UniqueFd fd_;
};

}  // namespace

TEST_CASE("a submit whose connection is cut says what to do") {
  const Listener listener;
  const auto cut = [&](int times, const std::vector<std::string>& words) {
    SubmitOptions options;
    Args args("submit", {});
    options.declare(args);
    Output out(STDOUT_FILENO);
    CHECK(args.parse(words, out));
    std::thread daemon([&] {
      for (int i = 0; i < times; ++i) listener.serve("");
    });
    std::string said;
    try {
      options.send(Client(listener.path), "/v1/tasks", nlohmann::json::object());
    } catch (const DaemonAway& away) {
      CHECK(away.exit_code == kExitTryLater);
      said = away.what();
    }
    daemon.join();
    return said;
  };
  const auto ends_with = [](const std::string& text, const char* end) {
    CHECK_MESSAGE(text.ends_with(end), text);
  };
  ends_with(cut(1, {"--", "true"}),
            "done what was asked; check with \"taskctl list\" before you repeat it (with an "
            "--idempotency-key, repeating is safe)");
  ends_with(cut(2, {"--idempotency-key", "k", "--", "true"}),
            "done what was asked; repeat it with the same --idempotency-key");
}

TEST_CASE("what may be asked twice is asked again when the daemon restarts, and nothing else is") {
  const Listener listener;
  const auto ask = [&](const HttpRequest& request) {
    std::thread daemon([&] {
      listener.serve("");
      listener.serve("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n7");
    });
    std::string answer;
    try {
      answer = Client(listener.path).call(request).dump();
    } catch (const DaemonAway&) {
      answer = "away";
      Client(listener.path).get("/v1/healthz");  // the second that the daemon serves
    }
    daemon.join();
    return answer;
  };
  CHECK(ask({.method = "GET", .target = "/v1/tasks/7", .headers = {}, .body = {}}) == "7");
  CHECK(ask({.method = "POST",
             .target = "/v1/tasks",
             .headers = {{"Idempotency-Key", "k"}},
             .body = "{}"}) == "7");
  CHECK(ask({.method = "POST", .target = "/v1/tasks/7/retry", .headers = {}, .body = "{}"}) ==
        "away");
}

TEST_CASE("what was asked twice is unknown until the daemon has said what became of it") {
  auto listener = std::make_unique<Listener>();
  const Client client(listener->path);
  const HttpRequest request{
      .method = "POST", .target = "/v1/tasks", .headers = {{"Idempotency-Key", "k"}}, .body = "{}"};
  const auto is_unknown = [&] {
    try {
      client.call(request);
    } catch (const DaemonAway& away) {
      return away.outcome_unknown && away.exit_code == kExitTryLater;
    }
    return false;
  };
  const std::string busy = R"({"code":"shutting_down","status":503,"title":"t","detail":"d"})";
  std::thread stopping([&] {
    listener->serve("");
    listener->serve("HTTP/1.1 503 x\r\nContent-Length: " + std::to_string(busy.size()) +
                    "\r\n\r\n" + busy);
  });
  CHECK(is_unknown());
  stopping.join();
  std::thread going([&] { listener->serve_last(""); });
  CHECK(is_unknown());  // nobody listens any more
  going.join();
}

TEST_CASE("a client gives up on a daemon that stays silent for as long as it was told") {
  const Listener listener;
  try {
    Client(listener.path, 1).get("/v1/healthz");
    FAIL("nobody answers there");
  } catch (const Failure& failure) {
    CHECK(failure.exit_code == kExitTryLater);
    CHECK(std::string_view(failure.what()).find("does not answer") != std::string_view::npos);
  }
}

TEST_CASE("an answer with a Content-Length is the same however its bytes are split") {
  const std::string bytes =
      kOk + "Content-Type: application/json\r\nContent-Length: 5\r\nX-Odd:  a b \r\n\r\nhello";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const ResponseParser parser = parsed(bytes, piece);
    CHECK(parser.done());
    CHECK(parser.status() == 200);
    CHECK(parser.body() == "hello");
    REQUIRE(parser.header("x-odd") != nullptr);
    CHECK(*parser.header("x-odd") == "a b");
    CHECK(parser.header("missing") == nullptr);
  }
}

TEST_CASE("a chunked answer is the same however its bytes are split") {
  const std::string bytes = kOk +
                            "Transfer-Encoding: Chunked\r\n\r\n"
                            "5\r\nhello\r\n1;ext=1\r\n \r\n00A\r\n0123456789\r\n0\r\nT: x\r\n\r\n";
  for (std::size_t piece = 1; piece <= bytes.size(); ++piece) {
    const ResponseParser parser = parsed(bytes, piece);
    CHECK(parser.done());
    CHECK(parser.body() == "hello 0123456789");
  }
}

TEST_CASE("an answer cut at any byte is never taken for a whole one") {
  for (const std::string& bytes :
       {kOk + "Content-Length: 5\r\n\r\nhello",
        kOk + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"}) {
    for (std::size_t length = 0; length < bytes.size(); ++length) {
      ResponseParser parser;
      parser.feed(std::string_view(bytes).substr(0, length));
      CHECK_FALSE(parser.done());
      CHECK(parser.begun() == (length > 0));
    }
  }
}

TEST_CASE("interim answers are skipped, but not for ever") {
  const std::string interim = "HTTP/1.1 100 Continue\r\n\r\n";
  const ResponseParser parser = parsed(interim + interim + kOk + "Content-Length: 0\r\n\r\n", 7);
  CHECK(parser.done());
  CHECK(parser.status() == 200);
  std::string endless;
  while (endless.size() < 2 * kMaxAnswerHeadBytes) endless += interim;
  CHECK(is_refused(endless));
}

TEST_CASE("204 has no body") {
  const ResponseParser parser = parsed("HTTP/1.1 204 No Content\r\n\r\n", 3);
  CHECK(parser.done());
}

TEST_CASE("the sink gets the body of a 200 and of nothing else") {
  std::string seen;
  ResponseParser good([&](std::string_view bytes) { seen += bytes; });
  good.feed(kOk + "Content-Length: 3\r\n\r\nabc");
  CHECK(seen == "abc");
  CHECK(good.body().empty());
  ResponseParser bad([&](std::string_view bytes) { seen += bytes; });
  bad.feed("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nxyz");
  CHECK(seen == "abc");
  CHECK(bad.body() == "xyz");
}

TEST_CASE("what is not an HTTP answer within the limits is refused") {
  const std::vector<std::string> hostile = {
      "SSH-2.0-OpenSSH_9.2\r\n",
      "\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 -20 OK\r\n\r\n",
      "HTTP/1.1 099 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 600 OK\r\nContent-Length: 0\r\n\r\n",
      "HTTP/1.1 101 Switching\r\n\r\n",
      kOk + "\r\n",
      kOk + "no colon\r\n\r\n",
      kOk + ": no name\r\n\r\n",
      kOk + "Bad Name: x\r\n\r\n",
      kOk + " Folded: x\r\n\r\n",
      kOk + "Content-Length: 5\n\nhello",
      kOk + std::string("A: b\0c\r\n\r\n", 10),
      kOk + "A: b\rc\r\n\r\n",
      kOk + "Content-Length: +5\r\n\r\nhello",
      kOk + "Content-Length: -1\r\n\r\n",
      kOk + "Content-Length: \r\n\r\n",
      kOk + "Content-Length: 0x5\r\n\r\nhello",
      kOk + "Content-Length: 5, 5\r\n\r\nhello",
      kOk + "Content-Length: 18446744073709551621\r\n\r\nhello",
      kOk + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
      kOk + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
      kOk + "Content-Length: 5\r\n\r\nhello and more",
      kOk + "Transfer-Encoding: gzip\r\n\r\n",
      kOk + "Transfer-Encoding: chunked, chunked\r\n\r\n",
      kOk + "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n",
      kOk + "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n",
      kOk + "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n",
      kOk + "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
      kOk + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello!\r\n0\r\n\r\n",
      kOk + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
  };
  for (const std::string& bytes : hostile) {
    CAPTURE(bytes);
    CHECK(is_refused(bytes));
  }
}

TEST_CASE("heads without end are refused before they fill the memory") {
  CHECK(is_refused(kOk + "X: " + std::string(2 * kMaxAnswerHeadBytes, 'a')));
  std::string many = kOk;
  for (int i = 0; i < 200; ++i) many += "a: b\r\n";
  CHECK(is_refused(many));
  const std::string chunk = kOk + "Transfer-Encoding: chunked\r\n\r\n";
  CHECK(is_refused(chunk + std::string(2 * kMaxAnswerHeadBytes, '0')));
  CHECK(is_refused(chunk + "0\r\nX: " + std::string(2 * kMaxAnswerHeadBytes, 'a')));
}

TEST_CASE("random bytes never do more than be refused") {
  std::uint32_t state = 12345;
  const auto next = [&] { return state = state * 1664525u + 1013904223u; };
  const std::string seed = kOk + "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  for (int round = 0; round < 5000; ++round) {
    std::string bytes = seed;
    for (int i = 0; i < 3; ++i) bytes[next() % bytes.size()] = static_cast<char>(next() >> 24);
    try {
      parsed(bytes, 1 + next() % 9);
    } catch (const ProtocolError&) {
    }
  }
}

TEST_CASE("a request goes out whole and its answer comes back") {
  const Listener listener;
  std::string request;
  std::thread server([&] { request = listener.serve(kOk + "Content-Length: 2\r\n\r\n{}"); });
  HttpRequest post{"POST", "/v1/tasks", {{"Idempotency-Key", "k"}}, "{\"a\":1}"};
  Exchange exchange(listener.path, post);
  exchange.finish(10'000);
  server.join();
  CHECK(exchange.answer().body() == "{}");
  CHECK(request.starts_with("POST /v1/tasks HTTP/1.1\r\n"));
  CHECK(request.find("Host: taskd\r\n") != std::string::npos);
  CHECK(request.find("Idempotency-Key: k\r\n") != std::string::npos);
  CHECK(request.find("Content-Length: 7\r\n") != std::string::npos);
}

TEST_CASE("a daemon that refuses a large request early is still heard") {
  const Listener listener;
  std::thread server([&] {
    // The head is read, the body is not: the client's next send() fails.
    listener.serve("HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\n{}");
  });
  Exchange exchange(listener.path, {"POST", "/v1/tasks", {}, std::string(8 << 20, 'x')});
  exchange.finish(10'000);
  server.join();
  CHECK(exchange.answer().status() == 413);
}

TEST_CASE("a connection that ends early says how far the answer had come") {
  for (const bool begun : {false, true}) {
    const Listener listener;
    std::thread server([&] { listener.serve(begun ? kOk : std::string()); });
    Exchange exchange(listener.path, {});
    try {
      exchange.finish(10'000);
      FAIL("the answer is not complete");
    } catch (const ConnectionLost& lost) {
      CHECK(lost.answer_begun == begun);
    }
    server.join();
  }
}

TEST_CASE("a silent daemon is not waited for longer than asked") {
  const Listener listener;
  Exchange exchange(listener.path, {});
  CHECK_THROWS_AS(exchange.finish(10), AnswerTimeout);
}

TEST_CASE("a socket that nobody serves fails with its errno") {
  const auto error_of = [](const std::string& path) {
    try {
      Exchange exchange(path, {});
    } catch (const ConnectFailed& failed) {
      return failed.error;
    }
    return 0;
  };
  CHECK(error_of("/nonexistent/socket") == ENOENT);
  CHECK(error_of(std::string(200, 'x')) == ENAMETOOLONG);
  std::string stale;
  {
    const Listener listener;
    CHECK(error_of(listener.path) == 0);
    stale = listener.path;
  }
  CHECK(error_of(stale) == ENOENT);
}

TEST_CASE("a full backlog is waited for until there is room") {
  const Listener listener(0);
  std::vector<UniqueFd> parked;
  Exchange first(listener.path, {});  // a backlog of 0 has room for one
  std::thread server([&] {
    for (int i = 0; i < 2; ++i) listener.serve(kOk + "Content-Length: 0\r\n\r\n");
  });
  Exchange second(listener.path, {});
  second.finish(10'000);
  server.join();
  CHECK(second.answer().done());
}

TEST_CASE("a query keeps every byte") {
  CHECK(percent_encode("a-z_~.09") == "a-z_~.09");
  CHECK(percent_encode("k=v&x y/ä\n") == "k%3Dv%26x%20y%2F%C3%A4%0A");
}
