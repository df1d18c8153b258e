// Strict parsing of a request's target: ids, query parameters, cursors. Everything throws
// ProblemError for invalid text. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

// The query parameters of one request. A route takes those it knows, then calls finish().
class HttpQuery {
 public:
  // Decodes percent escapes; '+' stays '+'. bad_query: a broken escape, a control character, text
  // that is not UTF-8, a parameter without '='.
  explicit HttpQuery(std::string_view text);

  // The whole query as sent, including parameters already taken.
  const std::string& text() const { return text_; }

  // invalid_request if it occurs twice.
  std::optional<std::string> take(const std::string& name);
  std::vector<std::string> take_all(const std::string& name);
  // A decimal from `min` to `max`, or `fallback` if absent.
  std::int64_t take_int(const std::string& name, std::int64_t min, std::int64_t max,
                        std::int64_t fallback);
  bool take_bool(const std::string& name);  // false if absent
  // invalid_request if a parameter was not taken.
  void finish() const;

 private:
  std::string text_;
  std::map<std::string, std::vector<std::string>> parameters_;
};

// 422 invalid_request, with an error that names the parameter.
[[noreturn]] void bad_query(const std::string& name, const std::string& detail);

// A canonical decimal from 1 to 2^63 - 1, else bad_id.
TaskId parse_task_id(std::string_view text);

// Cursors are opaque to clients and valid only for the list that issued them: `list` names it with
// all its filters. Not a secret: a forged cursor shows nothing the user may not see.
std::string make_cursor(TaskId last, std::string_view list);
TaskId parse_cursor(std::string_view cursor, std::string_view list);  // throws bad_cursor

}  // namespace taskd
