#include "daemon/api/http/head.h"

#include <algorithm>
#include <array>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/request_limits.h"
#include "daemon/base/ascii.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

bool is_one_of(char c, std::string_view set) {
  return set.find(c) != set.npos;
}
bool is_uri_char(char c) {
  return is_letter_or_digit(c) || is_one_of(c, "-._~!$&'()*+,;=:@/?%");
}
bool is_value_char(char c) {
  return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}
[[noreturn]] void bad_request(std::string detail) {
  throw ProblemError(400, "bad_request", std::move(detail));
}

// Splits lines that end in exactly CR LF.
class LineReader {
 public:
  LineReader(std::string_view bytes, std::size_t max_bytes)
      : bytes_(bytes), max_bytes_(max_bytes) {}

  enum class Status { line, incomplete, too_long };
  Status next(std::size_t max_line_bytes) {
    const auto room = std::min(max_line_bytes, max_bytes_ - offset_);
    const auto rest = bytes_.substr(offset_);
    const auto newline = rest.substr(0, room).find('\n');
    if (newline == rest.npos) return rest.size() < room ? Status::incomplete : Status::too_long;
    if (newline == 0 || rest[newline - 1] != '\r') bad_request("a line ends without CR");
    line_ = rest.substr(0, newline - 1);
    if (line_.find('\r') != line_.npos) bad_request("a CR stands inside a line");
    offset_ += newline + 1;
    return Status::line;
  }

  std::string_view line() const { return line_; }
  std::size_t offset() const { return offset_; }

 private:
  std::string_view bytes_;
  const std::size_t max_bytes_;
  std::size_t offset_ = 0;
  std::string_view line_;
};

int parse_minor_version(std::string_view version) {
  const bool well_formed = version.size() == 8 && version.substr(0, 5) == "HTTP/" &&
                           is_digit(version[5]) && version[6] == '.' && is_digit(version[7]);
  if (!well_formed) bad_request("the request line does not end in an HTTP version");
  if (version == "HTTP/1.1") return 1;
  if (version == "HTTP/1.0") return 0;
  throw ProblemError(505, "version_not_supported", "this server speaks HTTP/1.1");
}

void check_method(std::string_view method) {
  if (!is_token(method)) bad_request("the request line does not begin with a method");
  constexpr std::array<std::string_view, 7> kKnown = {"GET",   "HEAD",   "POST",   "PUT",
                                                      "PATCH", "DELETE", "OPTIONS"};
  if (std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end()) return;
  if (method == "CONNECT" || method == "TRACE") {
    ProblemError error(405, "method_not_allowed", "no path accepts " + std::string(method));
    error.allow = "GET, HEAD, POST, PUT, PATCH, DELETE";
    throw error;
  }
  throw ProblemError(501, "not_implemented", "no such method: " + in_quotes(method));
}

void parse_target(std::string_view target, HttpHead& head) {
  if (target.empty() || target[0] != '/') bad_request("the target does not begin with a slash");
  for (std::size_t i = 0; i < target.size(); ++i) {
    if (!is_uri_char(target[i]))
      bad_request("the target contains a character that no URI may have");
    if (target[i] != '%') continue;
    if (i + 2 >= target.size() || hex_digit(target[i + 1]) < 0 || hex_digit(target[i + 2]) < 0) {
      bad_request("the target contains a broken escape");
    }
  }
  const auto question_mark = target.find('?');
  head.path = target.substr(0, question_mark);
  if (question_mark != target.npos) head.query = target.substr(question_mark + 1);
  if (head.path.find('%') != head.path.npos) bad_request("no path of this API needs an escape");
}

void parse_request_line(std::string_view line, HttpHead& head) {
  const auto first = line.find(' ');
  const auto last = line.rfind(' ');
  if (first == line.npos || first == last) {
    bad_request("the request line is not: method, target, version");
  }
  head.minor_version = parse_minor_version(line.substr(last + 1));
  head.keep_alive = head.minor_version == 1;
  const auto method = line.substr(0, first);
  check_method(method);
  head.method = method;
  parse_target(line.substr(first + 1, last - first - 1), head);
}

// The headers with a meaning here; others are only checked for syntax.
struct Headers {
  std::optional<std::string> host;
  std::optional<std::string> content_length;
  std::optional<std::string> content_type;
  std::optional<std::string> expect;
  std::optional<std::string> idempotency_key;
  std::optional<std::string> if_match;
  std::optional<std::string> transfer_encoding;
  bool content_encoding = false;
  bool close = false;
};

void set_once(std::optional<std::string>& field, std::string_view name, std::string_view value) {
  if (field) {
    throw ProblemError(400, name == "idempotency-key" ? "bad_idempotency_key" : "bad_request",
                       "the header " + std::string(name) + " is given twice");
  }
  field = value;
}

bool names_close(std::string_view value) {
  const auto options = split(value, ',');
  return std::any_of(options.begin(), options.end(), [](std::string_view option) {
    return to_lower(trim_blanks(option)) == "close";
  });
}

void parse_header(std::string_view line, Headers& headers) {
  const auto colon = line.find(':');
  if (colon == line.npos) bad_request("a header has no colon");
  if (!is_token(line.substr(0, colon))) bad_request("a header's name is not a token");
  const auto value = trim_blanks(line.substr(colon + 1));
  if (!std::all_of(value.begin(), value.end(), is_value_char)) {
    bad_request("a header contains a control character");
  }
  const std::string name = to_lower(line.substr(0, colon));
  if (name == "host") set_once(headers.host, name, value);
  if (name == "content-length") set_once(headers.content_length, name, value);
  if (name == "content-type") set_once(headers.content_type, name, value);
  if (name == "expect") set_once(headers.expect, name, value);
  if (name == "idempotency-key") set_once(headers.idempotency_key, name, value);
  if (name == "if-match") set_once(headers.if_match, name, value);
  if (name == "transfer-encoding") {
    // Several lines form one list.
    const std::string before = headers.transfer_encoding ? *headers.transfer_encoding + "," : "";
    headers.transfer_encoding = before + std::string(value);
  }
  if (name == "content-encoding") headers.content_encoding = true;
  if (name == "connection" && names_close(value)) headers.close = true;
}

// On a Unix socket any valid authority is accepted.
void check_host(const Headers& headers, int minor_version) {
  if (!headers.host) {
    if (minor_version == 0) return;
    bad_request("the header host is missing");
  }
  const auto fits = [](char c) {
    return is_one_of(c, "[]") || (is_uri_char(c) && !is_one_of(c, "/?@"));
  };
  if (!std::all_of(headers.host->begin(), headers.host->end(), fits)) {
    bad_request("the header host is not a host and a port");
  }
}

std::size_t parse_content_length(const Headers& headers, std::size_t max_body_bytes) {
  if (!headers.content_length) return 0;
  const std::string& text = *headers.content_length;
  const bool canonical = !text.empty() && text.size() <= 18 && (text[0] != '0' || text == "0") &&
                         std::all_of(text.begin(), text.end(), is_digit);
  if (!canonical) bad_request("content-length is not a decimal number");
  const std::size_t length = std::stoull(text);
  if (length > max_body_bytes) {
    throw ProblemError(413, "body_too_large",
                       "a body has at most " + std::to_string(max_body_bytes) + " bytes");
  }
  return length;
}

// The end of a body must be unambiguous, so unusual framing is refused (RFC 9112, section 6).
bool is_chunked(const Headers& headers, int minor_version) {
  if (!headers.transfer_encoding) return false;
  if (headers.content_length) {
    bad_request("content-length and transfer-encoding exclude each other");
  }
  if (minor_version == 0) bad_request("HTTP/1.0 has no transfer-encoding");
  const std::string codings = to_lower(*headers.transfer_encoding);
  if (codings == "chunked") return true;
  const auto comma = codings.rfind(',');
  const auto last =
      trim_blanks(std::string_view(codings).substr(comma == codings.npos ? 0 : comma + 1));
  const bool once = codings.find("chunked") == codings.rfind("chunked");
  if (last != "chunked" || !once) {
    bad_request("the last transfer-encoding must be chunked, and it alone");
  }
  throw ProblemError(501, "not_implemented", "chunked is the only supported transfer-encoding");
}

bool is_json_type(const std::optional<std::string>& content_type) {
  const std::string text = to_lower(content_type.value_or(""));
  const auto semicolon = text.find(';');
  bool is_json = trim_blanks(std::string_view(text).substr(0, semicolon)) == "application/json";
  if (is_json && semicolon != text.npos) {
    const auto parameter = trim_blanks(std::string_view(text).substr(semicolon + 1));
    is_json = parameter == "charset=utf-8" || parameter == "charset=\"utf-8\"";
  }
  return is_json;
}

void apply_headers(const Headers& headers, const ServerLimits& limits, HttpHead& head) {
  check_host(headers, head.minor_version);
  head.chunked = is_chunked(headers, head.minor_version);
  head.body_bytes = parse_content_length(headers, limits.max_body_bytes);
  head.has_json_type = is_json_type(headers.content_type);
  if (headers.content_encoding) {
    throw ProblemError(415, "unsupported_media_type", "a body must not be encoded");
  }
  if (headers.expect) {
    if (to_lower(*headers.expect) != "100-continue") {
      throw ProblemError(417, "expectation_failed", "only 100-continue can be expected");
    }
    head.expects_continue = head.minor_version == 1;
  }
  check_body(head, head.body_bytes);
  head.idempotency_key = headers.idempotency_key;
  head.if_match = headers.if_match;
  if (headers.close) head.keep_alive = false;
}

}  // namespace

void check_body(const HttpHead& head, std::size_t body_bytes) {
  if (body_bytes == 0) return;
  if (head.method == "GET" || head.method == "HEAD" || head.method == "DELETE") {
    bad_request(head.method + " takes no body");
  }
  if (!head.has_json_type) {
    throw ProblemError(415, "unsupported_media_type", "a body must be application/json in UTF-8");
  }
}

std::optional<HttpHead> parse_http_head(std::string_view bytes, const ServerLimits& limits) {
  using Status = LineReader::Status;
  LineReader lines(bytes, limits.max_head_bytes);
  HttpHead head;
  Headers headers;

  Status status = lines.next(limits.max_line_bytes);
  if (status == Status::too_long) {
    throw ProblemError(
        414, "uri_too_long",
        "the request line exceeds " + std::to_string(limits.max_line_bytes) + " bytes");
  }
  if (status == Status::incomplete) return std::nullopt;
  parse_request_line(lines.line(), head);

  for (int count = 0;; ++count) {
    status = lines.next(limits.max_head_bytes);
    if (status == Status::incomplete) return std::nullopt;
    const bool ends = status == Status::line && lines.line().empty();
    if (ends) break;
    if (status == Status::too_long || count == limits.max_headers) {
      throw ProblemError(431, "headers_too_large",
                         "a request has at most " + std::to_string(limits.max_headers) +
                             " headers, in all " + std::to_string(limits.max_head_bytes) +
                             " bytes");
    }
    if (lines.line()[0] == ' ' || lines.line()[0] == '\t') bad_request("a header is folded");
    parse_header(lines.line(), headers);
  }
  apply_headers(headers, limits, head);
  head.head_bytes = lines.offset();
  return head;
}

}  // namespace taskd
