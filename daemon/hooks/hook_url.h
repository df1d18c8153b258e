// The address of a webhook. Pure.
#pragma once

#include <string>
#include <string_view>
#include <variant>

namespace taskd {

struct HookUrl {
  enum class Scheme { http, https, unix_socket } scheme = Scheme::http;
  std::string host;    // without the brackets of an IPv6 address; with unix_socket the path
  std::string port;    // decimal
  std::string target;  // path and query, from "/"
  // The value of the Host header.
  std::string authority() const;
};

// Accepts "http://HOST[:PORT][/PATH][?QUERY]", the same with https, or "unix:/PATH" (requests "/").
// Otherwise returns what is wrong.
std::variant<HookUrl, std::string> parse_hook_url(std::string_view text);

}  // namespace taskd
