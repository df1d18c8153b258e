#include "daemon/api/http/chunked_body.h"

#include <random>

#include "daemon/api/http/problem.h"
#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

struct Outcome {
  std::string body;
  std::string rest;  // what is behind it
  bool done = false;
  std::string problem;  // status, code and detail
  bool operator==(const Outcome&) const = default;
};

// Fed in pieces whose ends `cut` chooses, as a connection feeds it: what is left comes again.
template <class Cut>
Outcome decode(const std::string& bytes, Cut cut) {
  const ServerLimits limits;
  ChunkedBody chunked(limits);
  Outcome outcome;
  std::string input;
  std::size_t at = 0;
  try {
    while (at < bytes.size()) {
      const std::size_t n = std::min<std::size_t>(cut(), bytes.size() - at);
      input += bytes.substr(at, n);
      at += n;
      input.erase(0, chunked.feed(input));
      if (chunked.done()) break;
    }
  } catch (const ProblemError& error) {
    outcome.problem = std::to_string(error.problem.status) + " " + error.problem.code + " " +
                      error.problem.detail;
    return outcome;
  }
  outcome.body = chunked.body();
  outcome.rest = input + bytes.substr(at);
  outcome.done = chunked.done();
  return outcome;
}
Outcome decode(const std::string& bytes) {
  return decode(bytes, [&] { return bytes.size(); });
}

TEST_CASE("a chunked body is its chunks, without extensions and trailers") {
  CHECK(decode("0\r\n\r\n") == Outcome{"", "", true, ""});
  CHECK(decode("5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET /") ==
        Outcome{"hello world", "GET /", true, ""});
  CHECK(decode("A\r\n0123456789\r\n0\r\n\r\n").body == "0123456789");
  CHECK(decode("00a;name=value;x=\"a;b\"\r\n0123\r\n6789\r\n0 ;last\r\nX-Digest: abc\r\n\r\n") ==
        Outcome{"0123\r\n6789", "", true, ""});
  CHECK(decode("5\r\nhel") == Outcome{"hel", "", false, ""});
}

TEST_CASE("a chunked body that leaves any doubt is refused") {
  for (const char* bad : {"\r\n",
                          "x\r\n",
                          "-2\r\n",
                          "+2\r\nab\r\n",
                          "0x2\r\nab\r\n",
                          " 2\r\nab\r\n",
                          "2 \r\nab\r\n",
                          "2\nab\n",
                          "2\r\nab\n",
                          "2\r\nabc\r\n",
                          "2\r\nab0\r\n\r\n",
                          "2\r\nab\rx",
                          "2;a\rb\r\nab\r\n",
                          "2;\x01\r\nab\r\n",
                          "10000000000000000\r\n",
                          "0\r\nno colon\r\n\r\n",
                          "0\r\n: x\r\n\r\n",
                          "0\r\n folded: x\r\n\r\n",
                          "0\r\nx\n\n",
                          "2,3\r\nab\r\n",
                          "2\r\n\r\nab"}) {
    CAPTURE(bad);
    CHECK(decode(bad).problem.substr(0, 16) == "400 bad_request ");
  }
}

TEST_CASE("a chunked body has the limits of any other body, and of a head") {
  CHECK(decode("ffffffffffffffff\r\n").problem.substr(0, 18) == "413 body_too_large");
  CHECK(decode("7fffffffffffffff\r\n").problem.substr(0, 18) == "413 body_too_large");
  CHECK(decode("400001\r\n").problem.substr(0, 18) == "413 body_too_large");
  std::string many;
  for (int i = 0; i < 4; ++i) many += "100000\r\n" + std::string(1 << 20, 'x') + "\r\n";
  CHECK(decode(many + "0\r\n\r\n").body.size() == 4 << 20);
  CHECK(decode(many + "1\r\n").problem.substr(0, 18) == "413 body_too_large");

  CHECK(decode("1;" + std::string(300, 'x')).problem ==
        "400 bad_request the chunked body: a line is too long");
  std::string extensions;
  for (int i = 0; i < 100; ++i) extensions += "1;" + std::string(200, 'x') + "\r\ny\r\n";
  CHECK(decode(extensions).problem.find("extensions are too long") != std::string::npos);
  std::string trailers = "0\r\n";
  for (int i = 0; i < 70; ++i) trailers += "X: y\r\n";
  CHECK(decode(trailers + "\r\n").problem.substr(0, 21) == "431 headers_too_large");
}

TEST_CASE("what a chunked body is depends on its bytes alone, not on the pieces they come in") {
  std::mt19937 random(20261129);
  const auto below = [&](unsigned n) { return static_cast<unsigned>(random() % n); };
  const std::string letters = "0123456789aAfF;=\" \t\r\nxX:-+,";
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes;
    for (unsigned chunk = below(4); chunk > 0; --chunk) {
      const unsigned size = 1 + below(20);
      char text[16];
      std::snprintf(text, sizeof text, below(2) == 0 ? "%x" : "%X", size);
      bytes += text + std::string(below(3) == 0 ? ";ext=1" : "") + "\r\n" + std::string(size, 'd') +
               "\r\n";
    }
    bytes += "0\r\n" + std::string(below(2) == 0 ? "T: v\r\n" : "") + "\r\nGET / next";
    // Most of them are broken somewhere.
    for (unsigned broken = below(3); broken > 0; --broken) {
      const std::size_t at = below(static_cast<unsigned>(bytes.size()));
      if (below(2) == 0) {
        bytes[at] = letters[below(static_cast<unsigned>(letters.size()))];
      } else {
        bytes.erase(at, 1 + below(3));
      }
    }
    const Outcome whole = decode(bytes);
    CAPTURE(bytes);
    REQUIRE(decode(bytes, [] { return std::size_t{1}; }) == whole);
    REQUIRE(decode(bytes, [&] { return std::size_t{1 + below(7)}; }) == whole);
  }
}

std::string chunked(const std::string& target, const std::string& chunks,
                    const std::string& headers = "Content-Type: application/json\r\n") {
  return "POST " + target + " HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: Chunked\r\n" + headers +
         "\r\n" + chunks;
}

TEST_CASE("a submit may come in chunks, however the bytes arrive, and others behind it") {
  const ApiFixture api;
  const std::string one = chunked("/v1/tasks", "8\r\n{\"argv\":\r\n9\r\n[\"true\"]}\r\n0\r\n\r\n");
  RawClient client = api.connect();
  client.send(one + one + get("/v1/healthz"));
  CHECK(client.receive().status == 201);
  CHECK(client.receive().status == 201);
  CHECK(client.receive().status == 200);
  for (const char byte : one) client.send(std::string(1, byte));
  CHECK(client.receive().status == 201);
  CHECK(api.rows() == 3);

  // Many large chunks, more than one look at the socket takes in.
  std::string body = R"({"argv":["true"],"labels":{"x":")" + std::string(190, 'x') + "\"}}";
  std::string chunks;
  const std::string blanks(40'000, ' ');
  for (int i = 0; i < 50; ++i) chunks += "9c40\r\n" + blanks + "\r\n";
  client.send(chunked("/v1/tasks",
                      chunks + "FF\r\n" + body.append(255 - body.size(), ' ') + "\r\n0\r\n\r\n"));
  CHECK(client.receive().status == 201);
}

TEST_CASE("100-continue is said to a client that sends chunks") {
  const ApiFixture api;
  RawClient client = api.connect();
  client.send(
      chunked("/v1/tasks", "", "Content-Type: application/json\r\nExpect: 100-continue\r\n"));
  CHECK(client.receive().status == 100);
  client.send("11\r\n{\"argv\":[\"true\"]}\r\n0\r\n\r\n");
  CHECK(client.receive().status == 201);
}

TEST_CASE("where a chunked body would end must be beyond doubt") {
  const ApiFixture api;
  const auto ask = [&](const std::string& head) {
    RawClient client = api.connect();
    client.send(head + "\r\n2\r\n{}\r\n0\r\n\r\n");
    const Response response = client.receive();
    CHECK(client.closed_by_server());
    return std::to_string(response.status) + " " + response.code();
  };
  const std::string start =
      "POST /v1/tasks HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n";
  CHECK(ask(start + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: chunked\r\nContent-Length: 2\r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n") ==
        "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: chunked, chunked\r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: chunked, gzip\r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: identity\r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: chunked;q=1\r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: \r\n") == "400 bad_request");
  CHECK(ask(start + "Transfer-Encoding: gzip, chunked\r\n") == "501 not_implemented");
  CHECK(ask("POST /v1/tasks HTTP/1.0\r\nContent-Type: application/json\r\nTransfer-Encoding: "
            "chunked\r\n") == "400 bad_request");
  CHECK(ask("DELETE /v1/tasks/1 HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n") ==
        "400 bad_request");
  CHECK(ask("POST /v1/tasks HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n") ==
        "415 unsupported_media_type");
  CHECK(api.rows() == 0);
}

TEST_CASE("a chunked body that does not end in time is answered with 408") {
  ServerLimits limits;
  limits.body_time_ms = 100;
  const ApiFixture api(limits);
  RawClient client = api.connect();
  client.send(chunked("/v1/tasks", "8\r\n{\"argv\":\r\n"));
  CHECK(client.receive().code() == "request_timeout");
  CHECK(client.closed_by_server());
}

}  // namespace
}  // namespace taskd::test
