// Strict parsing of request heads, before the HTTP library sees any byte. Accepted heads are
// unambiguous, small, and free of everything this API does not use. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/http/request_limits.h"

namespace taskd {

struct HttpHead {
  std::string method;  // a method known to HTTP, never CONNECT or TRACE
  std::string path;    // as sent; contains no escapes
  std::string query;   // as sent, without the '?'
  int minor_version = 1;
  bool keep_alive = true;
  bool expects_continue = false;
  std::optional<std::string> idempotency_key;
  std::optional<std::string> if_match;
  std::size_t head_bytes = 0;  // including the empty line
  std::size_t body_bytes = 0;  // 0 if chunked: then the body marks its own end
  bool chunked = false;
  bool has_json_type = false;  // the Content-Type is JSON
};

// Parses the head at the start of `bytes`; returns nothing while it is incomplete. The result
// depends only on the bytes, not on how they were split. Throws ProblemError; close the connection
// then, since nothing after a bad head can be trusted.
std::optional<HttpHead> parse_http_head(std::string_view bytes, const ServerLimits& limits);

// Checks that a body of this size may follow this head. Throws ProblemError.
void check_body(const HttpHead& head, std::size_t body_bytes);

}  // namespace taskd
