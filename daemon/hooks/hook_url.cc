#include "daemon/hooks/hook_url.h"

#include <algorithm>

#include "daemon/base/text.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxUrlBytes = 2048;
constexpr std::size_t kMaxSocketPathBytes = 107;
constexpr char kWanted[] = "expected http://HOST/PATH, https://HOST/PATH or unix:/PATH";

bool is_default_port(const HookUrl& url) {
  return url.port == (url.scheme == HookUrl::Scheme::https ? "443" : "80");
}

// Parses "HOST[:PORT]". Returns "" or an error.
std::string read_authority(std::string_view text, HookUrl& url) {
  std::string_view after = text;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == text.npos) return "the address has no closing bracket";
    url.host = text.substr(1, end - 1);
    after = text.substr(end + 1);
    if (!after.empty() && after.front() != ':') return kWanted;
  } else {
    url.host = text.substr(0, text.find(':'));
    after = text.substr(url.host.size());
  }
  if (url.host.empty()) return "the host is missing";
  if (after.empty()) return "";
  const auto port = parse_int(after.substr(1));
  if (!port || *port < 1 || *port > 65535) return "the port is a number from 1 to 65535";
  url.port = after.substr(1);
  return "";
}

}  // namespace

std::string HookUrl::authority() const {
  if (scheme == Scheme::unix_socket) return "localhost";
  const std::string name = host.find(':') == host.npos ? host : "[" + host + "]";
  return is_default_port(*this) ? name : name + ":" + port;
}

std::variant<HookUrl, std::string> parse_hook_url(std::string_view text) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  if (text.size() > kMaxUrlBytes) return "has more than " + std::to_string(kMaxUrlBytes) + " bytes";
  if (!std::all_of(text.begin(), text.end(), printable))
    return std::string("has blanks, control characters or others than ASCII; write them as %XX");
  HookUrl url;
  if (text.starts_with("unix:")) {
    url.scheme = HookUrl::Scheme::unix_socket;
    url.host = text.substr(5);
    url.target = "/";
    if (!url.host.starts_with('/')) return std::string("the path of the socket must be absolute");
    if (url.host.size() > kMaxSocketPathBytes)
      return "the path of a socket has at most " + std::to_string(kMaxSocketPathBytes) + " bytes";
    return url;
  }
  std::string_view rest = text;
  if (text.starts_with("http://")) {
    url.port = "80";
    rest.remove_prefix(7);
  } else if (text.starts_with("https://")) {
    url.scheme = HookUrl::Scheme::https;
    url.port = "443";
    rest.remove_prefix(8);
  } else {
    return std::string(kWanted);
  }
  const std::size_t end = std::min(rest.find_first_of("/?#"), rest.size());
  const std::string_view authority = rest.substr(0, end);
  rest.remove_prefix(end);
  if (authority.find('@') != authority.npos)
    return std::string("a user or password in it is not supported; use secret_file");
  if (rest.find('#') != rest.npos) return std::string("a fragment (#…) is not sent; leave it out");
  if (std::string wrong = read_authority(authority, url); !wrong.empty()) return wrong;
  url.target = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  return url;
}

}  // namespace taskd
