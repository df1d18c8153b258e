#include <algorithm>

#include "tests/unit/api/api_fixture.h"

namespace taskd::test {
namespace {

using nlohmann::json;

struct BadRequest {
  const char* what;
  std::string bytes;
  int status;
  const char* code;
};

const std::string kTask = R"({"argv":["true"]})";

// A submit that would store a task if its head were good.
std::string submit_with(const std::string& headers) {
  return "POST /v1/tasks HTTP/1.1\r\n" + headers + "\r\n" + kTask;
}
std::string with_header(const std::string& header) {
  return submit_with("Host: taskd\r\nContent-Type: application/json\r\nContent-Length: 17\r\n" +
                     header);
}
std::string request_line(const std::string& line) {
  return line + "\r\nHost: taskd\r\n\r\n";
}

std::vector<BadRequest> bad_heads() {
  using namespace std::string_literals;
  std::vector<BadRequest> cases = {
      {"bare LF", "GET /v1/stats HTTP/1.1\nHost: taskd\n\n", 400, "bad_request"},
      {"bare LF after a header", "GET / HTTP/1.1\r\nHost: taskd\n\r\n", 400, "bad_request"},
      {"bare CR in a value", with_header("X: a\rb\r\n"), 400, "bad_request"},
      {"CR CR LF", "GET / HTTP/1.1\r\r\nHost: taskd\r\n\r\n", 400, "bad_request"},
      {"leading empty line", "\r\n" + get("/v1/stats"), 400, "bad_request"},
      {"leading blank", " " + get("/v1/stats"), 400, "bad_request"},
      {"two blanks", request_line("GET  /v1/stats HTTP/1.1"), 400, "bad_request"},
      {"tab as separator", request_line("GET\t/v1/stats HTTP/1.1"), 400, "bad_request"},
      {"no version", request_line("GET /v1/stats"), 400, "bad_request"},
      {"only a method", request_line("GET"), 400, "bad_request"},
      {"lower-case protocol", request_line("GET / http/1.1"), 400, "bad_request"},
      {"padded version", request_line("GET / HTTP/01.1"), 400, "bad_request"},
      {"trailing blank", request_line("GET / HTTP/1.1 "), 400, "bad_request"},
      {"HTTP/1.2", request_line("GET / HTTP/1.2"), 505, "version_not_supported"},
      {"HTTP/2.0", request_line("GET / HTTP/2.0"), 505, "version_not_supported"},
      {"HTTP/0.9", request_line("GET / HTTP/0.9"), 505, "version_not_supported"},
      {"h2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported"},
      {"unknown method", request_line("BREW / HTTP/1.1"), 501, "not_implemented"},
      {"lower-case method", request_line("get / HTTP/1.1"), 501, "not_implemented"},
      {"method that is no token", request_line("G(T / HTTP/1.1"), 400, "bad_request"},
      {"CONNECT", request_line("CONNECT taskd:80 HTTP/1.1"), 405, "method_not_allowed"},
      {"TRACE", request_line("TRACE / HTTP/1.1"), 405, "method_not_allowed"},
      {"absolute form", request_line("GET http://taskd/ HTTP/1.1"), 400, "bad_request"},
      {"asterisk form", request_line("OPTIONS * HTTP/1.1"), 400, "bad_request"},
      {"fragment", request_line("GET /v1/stats#x HTTP/1.1"), 400, "bad_request"},
      {"backslash", request_line("GET /v1\\stats HTTP/1.1"), 400, "bad_request"},
      {"NUL escape", request_line("GET /v1/tasks/%00 HTTP/1.1"), 400, "bad_request"},
      {"CR LF escape", request_line("GET /v1/%0d%0aX:1 HTTP/1.1"), 400, "bad_request"},
      {"dots escaped", request_line("GET /v1/%2e%2e/x HTTP/1.1"), 400, "bad_request"},
      {"overlong escape", request_line("GET /v1/%c0%af HTTP/1.1"), 400, "bad_request"},
      {"broken escape", request_line("GET /v1/stats?a=%4 HTTP/1.1"), 400, "bad_request"},
      {"non-hex escape", request_line("GET /v1/stats?a=%zz HTTP/1.1"), 400, "bad_request"},
      {"raw UTF-8", request_line("GET /v1/stäts HTTP/1.1"), 400, "bad_request"},
      {"NUL in the line", "GET /v1/\0stats HTTP/1.1\r\nHost: taskd\r\n\r\n"s, 400, "bad_request"},
      {"long line", request_line("GET /" + std::string(9000, 'a') + " HTTP/1.1"), 414,
       "uri_too_long"},
      {"endless line", std::string(9000, 'A'), 414, "uri_too_long"},
      {"no colon", with_header("Nonsense\r\n"), 400, "bad_request"},
      {"blank before the colon", with_header("X : 1\r\n"), 400, "bad_request"},
      {"empty name", with_header(": 1\r\n"), 400, "bad_request"},
      {"name that is no token", with_header("X(1): 1\r\n"), 400, "bad_request"},
      {"folded header", with_header("X: 1\r\n 2\r\n"), 400, "bad_request"},
      {"folded first header", submit_with(" X: 1\r\n"), 400, "bad_request"},
      {"NUL in a value", with_header("X: a\0b\r\n"s), 400, "bad_request"},
      {"escape in a value", with_header("X: a\x1b[2Jb\r\n"), 400, "bad_request"},
      {"no Host", "GET /v1/stats HTTP/1.1\r\n\r\n", 400, "bad_request"},
      {"two Hosts", with_header("Host: taskd\r\n"), 400, "bad_request"},
      {"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400, "bad_request"},
      {"Host with a user", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400, "bad_request"},
      {"many headers", with_header([] {
         std::string headers;
         for (int i = 0; i < 70; ++i) headers += "X-" + std::to_string(i) + ": 1\r\n";
         return headers;
       }()),
       431, "headers_too_large"},
      {"large headers", with_header("X: " + std::string(20000, 'a') + "\r\n"), 431,
       "headers_too_large"},
      {"other encodings", with_header("Content-Encoding: gzip\r\n"), 415, "unsupported_media_type"},
      {"Expect of something", with_header("Expect: 200-ok\r\n"), 417, "expectation_failed"},
      {"two keys", with_header("Idempotency-Key: a\r\nIdempotency-Key: b\r\n"), 400,
       "bad_idempotency_key"},
      {"CL and TE", with_header("Transfer-Encoding: chunked\r\n"), 400, "bad_request"},
      {"compressed and chunked body",
       "POST /v1/tasks HTTP/1.1\r\nHost: taskd\r\nContent-Type: application/json\r\n"
       "Transfer-Encoding: gzip, chunked\r\n\r\n11\r\n" +
           kTask + "\r\n0\r\n\r\n",
       501, "not_implemented"},
      {"two types", with_header("Content-Type: application/json\r\n"), 400, "bad_request"},
      {"no type", submit_with("Host: taskd\r\nContent-Length: 17\r\n"), 415,
       "unsupported_media_type"},
      {"body of a GET", "GET /v1/stats HTTP/1.1\r\nHost: taskd\r\nContent-Length: 2\r\n\r\n{}", 400,
       "bad_request"},
      {"rest of a longer body", post("/v1/tasks:cancel", "{}") + "}garbage\r\n\r\n", 422,
       "invalid_request"},
  };
  const char* lengths[] = {"",
                           "+5",
                           "-1",
                           "0x5",
                           "5, 5",
                           "5 5",
                           "017",
                           "1e3",
                           "5;",
                           "９",
                           "9223372036854775808",
                           "18446744073709551621"};
  for (const char* length : lengths) {
    cases.push_back(
        {"odd Content-Length",
         submit_with("Host: taskd\r\nContent-Type: application/json\r\nContent-Length: " +
                     std::string(length) + "\r\n"),
         400, "bad_request"});
  }
  cases.push_back({"two equal lengths", with_header("Content-Length: 17\r\n"), 400, "bad_request"});
  cases.push_back({"two lengths", with_header("Content-Length: 18\r\n"), 400, "bad_request"});
  cases.push_back({"large body",
                   submit_with("Host: taskd\r\nContent-Type: application/json\r\n"
                               "Content-Length: 4194305\r\n"),
                   413, "body_too_large"});
  for (const char* type :
       {"text/plain", "application/json; charset=utf-16", "application/jsonx",
        "multipart/form-data; boundary=x", "application/x-www-form-urlencoded"}) {
    cases.push_back({type,
                     submit_with("Host: taskd\r\nContent-Length: 17\r\nContent-Type: " +
                                 std::string(type) + "\r\n"),
                     415, "unsupported_media_type"});
  }
  return cases;
}

std::vector<BadRequest> bad_targets() {
  const std::string key(256, 'k');
  std::vector<BadRequest> cases = {
      {"unknown path", get("/v1/nothing"), 404, "no_such_path"},
      {"root", get("/"), 404, "no_such_path"},
      {"trailing slash", get("/v1/tasks/"), 404, "no_such_path"},
      {"double slash", get("//v1/tasks"), 404, "no_such_path"},
      {"dots", get("/v1/../v1/tasks"), 404, "no_such_path"},
      {"empty id", get("/v1/tasks//wait"), 404, "no_such_path"},
      {"wrong method", post("/v1/stats", ""), 405, "method_not_allowed"},
      {"OPTIONS", request_line("OPTIONS /v1/tasks HTTP/1.1"), 405, "method_not_allowed"},
      {"absent id", get("/v1/tasks/12345"), 404, "no_such_task"},
      {"largest id", get("/v1/tasks/9223372036854775807"), 404, "no_such_task"},
      {"last of none", get("/v1/tasks/last"), 404, "no_such_task"},
      {"unknown parameter", get("/v1/tasks?colour=red"), 422, "invalid_request"},
      {"unknown parameter of a task", get("/v1/tasks/1?x=1"), 422, "invalid_request"},
      {"repeated parameter", get("/v1/tasks?limit=1&limit=1"), 422, "invalid_request"},
      {"parameter without a value", get("/v1/tasks?limit"), 400, "bad_query"},
      {"empty pair", get("/v1/tasks?limit=1&&order=newest"), 400, "bad_query"},
      {"limit 0", get("/v1/tasks?limit=0"), 422, "invalid_request"},
      {"limit -1", get("/v1/tasks?limit=-1"), 422, "invalid_request"},
      {"limit 1001", get("/v1/tasks?limit=1001"), 422, "invalid_request"},
      {"limit 2^64", get("/v1/tasks?limit=18446744073709551616"), 422, "invalid_request"},
      {"control character", get("/v1/tasks?name=%00"), 400, "bad_query"},
      {"broken UTF-8", get("/v1/tasks?name=%ff"), 400, "bad_query"},
      {"bad state", get("/v1/tasks?state=queued,lost"), 422, "invalid_request"},
      {"bad order", get("/v1/tasks?order=random"), 422, "invalid_request"},
      {"bad label", get("/v1/tasks?label=x"), 422, "invalid_request"},
      {"bad since", get("/v1/tasks?since=yesterday"), 422, "invalid_request"},
      {"bad user", get("/v1/tasks?user=no-such-user-here"), 422, "unknown_user"},
      {"forged cursor", get("/v1/tasks?cursor=5-0123456789abcdef"), 422, "bad_cursor"},
      {"empty cursor", get("/v1/tasks?cursor="), 422, "bad_cursor"},
      {"bad stream", get("/v1/tasks/1/logs?stream=both"), 422, "invalid_request"},
      {"tail and offset", get("/v1/tasks/1/logs?tail=1&offset=1"), 422, "invalid_request"},
      {"bad follow", get("/v1/tasks/1/logs?follow=yes"), 422, "invalid_request"},
      {"long wait", get("/v1/tasks/1/wait?timeout_ms=600001"), 422, "invalid_request"},
      {"long key", post("/v1/tasks", kTask, "Idempotency-Key: " + key + "\r\n"), 400,
       "bad_idempotency_key"},
      {"empty key", post("/v1/tasks", kTask, "Idempotency-Key:\r\n"), 400, "bad_idempotency_key"},
      {"key with UTF-8", post("/v1/tasks", kTask, "Idempotency-Key: ä\r\n"), 400,
       "bad_idempotency_key"},
      {"no body", post("/v1/tasks", ""), 400, "bad_json"},
      {"no length", "POST /v1/tasks HTTP/1.1\r\nHost: taskd\r\n\r\n", 400, "bad_json"},
      {"top level array", post("/v1/tasks", "[]"), 400, "bad_json"},
      {"duplicate key", post("/v1/tasks", R"({"argv":["a"],"argv":["b"]})"), 400, "bad_json"},
      {"deep", post("/v1/tasks", std::string(100'000, '[')), 400, "bad_json"},
      {"bad UTF-8 in JSON", post("/v1/tasks", "{\"name\":\"\xff\"}"), 400, "bad_json"},
      {"no command", post("/v1/tasks", "{}"), 422, "invalid_task"},
      {"unknown field", post("/v1/tasks", R"({"argv":["a"],"colour":"red"})"), 422, "invalid_task"},
      {"unknown queue", post("/v1/tasks", R"({"argv":["a"],"queue":"none"})"), 422,
       "unknown_queue"},
      {"unknown user", post("/v1/tasks", R"({"argv":["a"],"user":"no-such-user-here"})"), 422,
       "unknown_user"},
      {"empty batch", post("/v1/tasks", R"({"tasks":[]})"), 422, "invalid_request"},
      {"batch of no array", post("/v1/tasks", R"({"tasks":1})"), 422, "invalid_request"},
      {"batch and task", post("/v1/tasks", R"({"tasks":[{"argv":["a"]}],"argv":["a"]})"), 422,
       "invalid_request"},
      {"one bad in a batch", post("/v1/tasks", R"({"tasks":[{"argv":["a"]},{}]})"), 422,
       "invalid_task"},
      {"ids and filter", post("/v1/tasks:cancel", R"({"ids":[1],"filter":{}})"), 422,
       "invalid_request"},
      {"neither ids nor filter", post("/v1/tasks:cancel", "{}"), 422, "invalid_request"},
      {"no ids", post("/v1/tasks:cancel", R"({"ids":[]})"), 422, "invalid_request"},
      {"id as text", post("/v1/tasks:cancel", R"({"ids":["1"]})"), 422, "invalid_request"},
      {"id 0", post("/v1/tasks:cancel", R"({"ids":[0]})"), 422, "invalid_request"},
      {"id 1.5", post("/v1/tasks:cancel", R"({"ids":[1.5]})"), 422, "invalid_request"},
      {"id 2^63", post("/v1/tasks:cancel", R"({"ids":[9223372036854775808]})"), 422,
       "invalid_request"},
      {"absent id in bulk", post("/v1/tasks:cancel", R"({"ids":[77]})"), 404, "no_such_task"},
      {"bad filter state", post("/v1/tasks:cancel", R"({"filter":{"state":["lost"]}})"), 422,
       "invalid_request"},
      {"bad filter", post("/v1/tasks:cancel", R"({"filter":{"colour":"red"}})"), 422,
       "invalid_request"},
      {"body of a verb", post("/v1/tasks/1/cancel", R"({"force":true})"), 422, "invalid_request"},
  };
  for (const char* id : {"0", "-1", "01", "1e3", "abc", "1;DROP", "9223372036854775808", "+1",
                         "1.0", "LAST", "0x1", "1,2"}) {
    cases.push_back({id, get("/v1/tasks/" + std::string(id)), 400, "bad_id"});
  }
  return cases;
}

void check_refused(const ApiFixture& api, const BadRequest& bad) {
  CAPTURE(bad.what);
  CAPTURE(bad.bytes.substr(0, 200));
  RawClient client = api.connect();
  client.send(bad.bytes);
  const Response response = client.receive();
  CHECK(response.status == bad.status);
  CHECK(response.complete);
  CHECK(response.header("Content-Type") == "application/problem+json");
  const auto problem = response.json();
  CHECK(problem.value("code", "") == bad.code);
  CHECK(problem.value("status", 0) == bad.status);
  for (const char* field : {"type", "title", "detail"}) CHECK(problem.contains(field));
  CHECK((bad.status == 405) == !response.header("Allow").empty());
  CHECK(response.header("Retry-After").empty());
  CHECK(response.head.find("EXCEPTION") == std::string::npos);
}

TEST_CASE("a bad head is refused with its problem, stores nothing and closes the connection") {
  const ApiFixture api;
  for (const BadRequest& bad : bad_heads()) {
    check_refused(api, bad);
    CHECK(api.ask(get("/v1/healthz")).status == 200);
  }
  CHECK(api.rows() == 0);
  RawClient client = api.connect();
  client.send("GET / HTTP/9.9\r\n");
  const Response response = client.receive();
  CHECK(response.header("Connection") == "close");
  CHECK(client.closed_by_server());
}

TEST_CASE("a bad target or body is refused with its problem and stores nothing") {
  const ApiFixture api;
  for (const BadRequest& bad : bad_targets()) {
    check_refused(api, bad);
    CHECK(api.ask(get("/v1/healthz")).status == 200);
  }
  CHECK(api.rows() == 0);
}

TEST_CASE("what follows a refused request on its connection is never executed") {
  const ApiFixture api;
  const std::string good = post("/v1/tasks", kTask);
  const std::string smuggling[] = {
      with_header("Transfer-Encoding: chunked\r\n"),
      submit_with("Host: a\r\nContent-Type: application/json\r\nContent-Length: 3\r\n"
                  "Content-Length: 17\r\n"),
      "GET /v1/stats HTTP/1.1\nHost: a\n\n",
      "GET /v1/stats HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
  };
  for (const std::string& bytes : smuggling) {
    RawClient client = api.connect();
    client.send(bytes + good);
    CHECK(client.receive().status == 400);
    CHECK(client.closed_by_server());
  }
  CHECK(api.rows() == 0);
}

TEST_CASE("a request cut off at any byte stores nothing and hangs nobody") {
  const ApiFixture api;
  const std::string good = post("/v1/tasks", kTask, "Idempotency-Key: cut\r\n");
  for (std::size_t bytes = 0; bytes < good.size(); ++bytes) {
    RawClient client = api.connect();
    client.send(std::string_view(good).substr(0, bytes));
    client.half_close();
    CHECK(client.receive().status == 0);
    CHECK(client.closed_by_server());
  }
  CHECK(api.rows() == 0);
  CHECK(api.ask(good).status == 201);
}

TEST_CASE("a request split at any byte gets the same answer") {
  const ApiFixture api;
  api.submit();
  const std::string requests[] = {
      get("/v1/tasks/1"),
      post("/v1/tasks", R"({"argv":[]})"),
      "GET / HTTP/1.1\r\nHost: a\r\nX : 1\r\nY: 2\r\n\r\n",
      with_header("X: a\rb\r\n"),
      "BREW / HTTP/1.1\r\nHost: a\r\n\r\n",
  };
  for (const std::string& request : requests) {
    const Response whole = api.ask(request);
    for (std::size_t bytes = 1; bytes < request.size(); ++bytes) {
      CAPTURE(bytes);
      RawClient client = api.connect();
      client.send(std::string_view(request).substr(0, bytes));
      // Wait until the server has seen the first piece: only then is it a split.
      const Response early = client.receive(bytes % 16 == 0 ? 2 : 0);
      client.send(std::string_view(request).substr(bytes));
      const Response response = early.status != 0 ? early : client.receive();
      CHECK(response.status == whole.status);
      CHECK(response.body == whole.body);
    }
  }
}

TEST_CASE("JSON cut off at any byte is refused") {
  const ApiFixture api;
  const std::string body = R"({"argv":["a","\u00e9",""],"env":{"A":"1"},"priority":-5})";
  RawClient client = api.connect();
  for (std::size_t bytes = 0; bytes < body.size(); ++bytes) {
    client.send(post("/v1/tasks", body.substr(0, bytes)));
    const Response response = client.receive();
    CHECK(response.status == 400);
    CHECK(response.code() == "bad_json");
  }
  CHECK(api.rows() == 0);
  client.send(post("/v1/tasks", body));
  CHECK(client.receive().status == 201);
}

TEST_CASE("a wrong byte anywhere in the JSON never gets a 5xx") {
  const ApiFixture api;
  const std::string body = R"({"argv":["a"],"labels":{"k":"v"},"delay_ms":60000})";
  RawClient client = api.connect();
  for (std::size_t at = 0; at < body.size(); ++at) {
    for (const char byte : {'\0', '\xff', '"', '{', '9', '\\'}) {
      std::string wrong = body;
      wrong[at] = byte;
      client.send(post("/v1/tasks", wrong));
      const int status = client.receive().status;
      const bool expected = status == 201 || status == 400 || status == 422;
      CHECK_MESSAGE(expected, wrong << " gave " << status);
    }
  }
}

TEST_CASE("defaults do not make a small batch a huge one") {
  const ApiFixture api;
  const auto refusal = [&](int count, const json& defaults) {
    const json body = {{"tasks", json::array()}, {"defaults", defaults}};
    std::string text = body.dump();
    std::string tasks;
    for (int i = 0; i < count; ++i) tasks += R"({"argv":["x"]},)";
    tasks.pop_back();
    text.replace(text.find("[]"), 2, "[" + tasks + "]");
    const Response response = api.ask(post("/v1/tasks", text));
    CHECK(response.status == 422);
    return response.json().at("errors").at(0);
  };
  const json large = refusal(300, {{"stdin", {{"text", std::string(500'000, 'x')}}}});
  CHECK(large.at("pointer") == "#/tasks/268");
  CHECK(large.at("detail") ==
        "the tasks up to this one have more than 128 MiB of text together; submit fewer at once");
  json many = json::array();
  for (int id = 1; id <= 1000; ++id) many.push_back(id);
  // They must be there, since the first of them is looked for before all are counted.
  api.submit(R"({"argv":["x"],"array":{"first":1,"last":1000}})");
  CHECK(refusal(130, {{"depends_on", many}}).at("pointer") == "#/tasks/119/depends_on");
  CHECK(api.ask(get("/v1/tasks?limit=1")).json().at("tasks").at(0).at("id") == 1000);
}

}  // namespace
}  // namespace taskd::test
