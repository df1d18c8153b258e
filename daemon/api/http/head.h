// The strict reading of a request's head, before the HTTP library sees a byte of it: what passes is
// unambiguous, small and free of everything this API has no use for. Pure functions.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/http/request_limits.h"

namespace taskd {

struct HttpHead {
  std::string method;  // one that HTTP knows, never CONNECT or TRACE
  std::string path;    // as sent, without escapes
  std::string query;   // as sent, without the '?'
  int minor_version = 1;
  bool keep_alive = true;
  bool expects_continue = false;
  std::optional<std::string> idempotency_key;
  std::optional<std::string> if_match;
  std::size_t head_bytes = 0;  // up to and with the empty line
  std::size_t body_bytes = 0;  // 0 if it is chunked: then it tells its own end
  bool chunked = false;
  bool has_json_type = false;  // the body is said to be what it must be
};

// Reads the head at the start of `bytes`; nothing while its end has not arrived. The answer depends
// only on the bytes, not on the pieces they came in. Throws ProblemError; what follows a bad head
// cannot be told apart from it, so the connection must be closed.
std::optional<HttpHead> parse_http_head(std::string_view bytes, const ServerLimits& limits);

// Whether a body of this size may stand behind this head. Throws ProblemError.
void check_body(const HttpHead& head, std::size_t body_bytes);

}  // namespace taskd
