#include "daemon/api/request/query.h"

#include <algorithm>

#include "daemon/api/http/problem.h"
#include "daemon/base/ascii.h"
#include "daemon/base/digest.h"
#include "daemon/base/text.h"

namespace taskd {
namespace {

// The head parser has checked that escapes are well-formed; this checks the rest.
std::string decode(std::string_view text) {
  std::string result;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%' || i + 2 >= text.size()) {
      result += text[i];
      continue;
    }
    result += static_cast<char>(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
    i += 2;
  }
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
  if (!is_valid_utf8(result) || std::any_of(result.begin(), result.end(), is_control)) {
    throw ProblemError(400, "bad_query",
                       "a query parameter contains control characters or broken UTF-8");
  }
  return result;
}

std::string cursor_digest(std::string_view id, std::string_view list) {
  return sha256_hex(std::string(id) + '\n' + std::string(list)).substr(0, 16);
}

}  // namespace

void bad_query(const std::string& name, const std::string& detail) {
  throw ProblemError(422, "invalid_request", in_quotes(name) + " " + detail, {{name, detail}});
}

HttpQuery::HttpQuery(std::string_view text) : text_(text) {
  while (!text.empty()) {
    const auto ampersand = text.find('&');
    const auto pair = text.substr(0, ampersand);
    const auto equals = pair.find('=');
    const std::string name = decode(pair.substr(0, equals));
    if (equals == pair.npos) {
      throw ProblemError(400, "bad_query", "the parameter " + in_quotes(name) + " has no value");
    }
    parameters_[name].push_back(decode(pair.substr(equals + 1)));
    text = ampersand == text.npos ? std::string_view{} : text.substr(ampersand + 1);
  }
}

std::vector<std::string> HttpQuery::take_all(const std::string& name) {
  auto node = parameters_.extract(name);
  return node.empty() ? std::vector<std::string>{} : std::move(node.mapped());
}

std::optional<std::string> HttpQuery::take(const std::string& name) {
  auto values = take_all(name);
  if (values.empty()) return std::nullopt;
  if (values.size() > 1) bad_query(name, "is given twice");
  return std::move(values.front());
}

std::int64_t HttpQuery::take_int(const std::string& name, std::int64_t min, std::int64_t max,
                                 std::int64_t fallback) {
  const auto text = take(name);
  if (!text) return fallback;
  const auto value = parse_int(*text);
  if (!value || *value < min || *value > max) {
    bad_query(name,
              "must be an integer from " + std::to_string(min) + " to " + std::to_string(max));
  }
  return *value;
}

bool HttpQuery::take_bool(const std::string& name) {
  const auto text = take(name);
  if (text && *text != "true" && *text != "false") bad_query(name, "must be true or false");
  return text == "true";
}

void HttpQuery::finish() const {
  if (!parameters_.empty()) bad_query(parameters_.begin()->first, "is unknown");
}

TaskId parse_task_id(std::string_view text) {
  const auto id = parse_int(text);
  if (!id || *id < 1) {
    throw ProblemError(400, "bad_id", in_quotes(text) + " is not a task's id: a positive integer");
  }
  return *id;
}

std::string make_cursor(TaskId last, std::string_view list) {
  const std::string id = std::to_string(last);
  return id + '-' + cursor_digest(id, list);
}

TaskId parse_cursor(std::string_view cursor, std::string_view list) {
  const auto dash = cursor.find('-');
  const auto id = parse_int(cursor.substr(0, dash));
  const bool good = dash != cursor.npos && id && *id > 0 &&
                    cursor.substr(dash + 1) == cursor_digest(cursor.substr(0, dash), list);
  if (!good) {
    const std::string detail = "is not from this list";
    throw ProblemError(422, "bad_cursor", "the cursor " + detail, {{"cursor", detail}});
  }
  return *id;
}

}  // namespace taskd
