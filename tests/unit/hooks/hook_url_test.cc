#include "daemon/hooks/hook_url.h"

#include <doctest/doctest.h>

using namespace taskd;

namespace {

HookUrl parsed(const char* text) {
  auto url = parse_hook_url(text);
  REQUIRE_MESSAGE(std::holds_alternative<HookUrl>(url), text);
  return std::get<HookUrl>(url);
}

}  // namespace

TEST_CASE("addresses of webhooks are taken apart") {
  using Scheme = HookUrl::Scheme;
  struct Row {
    const char* text;
    Scheme scheme;
    const char* host;
    const char* port;
    const char* target;
    const char* authority;
  };
  const Row rows[] = {
      {"http://a.example", Scheme::http, "a.example", "80", "/", "a.example"},
      {"http://a.example:8080/x/y?z=%20", Scheme::http, "a.example", "8080", "/x/y?z=%20",
       "a.example:8080"},
      {"https://a.example?q", Scheme::https, "a.example", "443", "/?q", "a.example"},
      {"https://a.example:443/", Scheme::https, "a.example", "443", "/", "a.example"},
      {"http://[::1]:81/p", Scheme::http, "::1", "81", "/p", "[::1]:81"},
      {"http://[::1]", Scheme::http, "::1", "80", "/", "[::1]"},
      {"unix:/run/x.sock", Scheme::unix_socket, "/run/x.sock", "", "/", "localhost"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    const HookUrl url = parsed(row.text);
    CHECK(url.scheme == row.scheme);
    CHECK(url.host == row.host);
    CHECK(url.port == row.port);
    CHECK(url.target == row.target);
    CHECK(url.authority() == row.authority);
  }
}

TEST_CASE("what is no address of a webhook is refused") {
  for (const char* text : {"",
                           "ftp://a",
                           "a.example",
                           "http://",
                           "http:///x",
                           "http://:80",
                           "http://a:0",
                           "http://a:x",
                           "http://a:65536",
                           "http://a:",
                           "http://u:p@a",
                           "http://a/#f",
                           "http://a/b c",
                           "http://a/\r\nX: y",
                           "http://[::1",
                           "http://[::1]x",
                           "http://a/\xc3\xa9",
                           "unix:",
                           "unix:run/x",
                           "HTTP://a"}) {
    CAPTURE(text);
    CHECK(std::holds_alternative<std::string>(parse_hook_url(text)));
  }
  CHECK(std::holds_alternative<std::string>(parse_hook_url("unix:/" + std::string(107, 'a'))));
  CHECK(std::holds_alternative<std::string>(parse_hook_url("http://a/" + std::string(2048, 'a'))));
}
