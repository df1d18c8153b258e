// The strict reading of what stands in a request's target: ids, query parameters, cursors.
// Everything here throws ProblemError for text that is not what it should be. Not thread-safe.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/task/task.h"

namespace taskd {

// The parameters of one request. Routes take what they know and then call finish().
class HttpQuery {
 public:
  // Percent escapes are decoded; a '+' is a '+'. bad_query: a broken escape, a control character,
  // text that is not UTF-8, a parameter without '='.
  explicit HttpQuery(std::string_view text);

  // As it was sent, whatever was taken.
  const std::string& text() const { return text_; }

  // invalid_request when it is given twice.
  std::optional<std::string> take(const std::string& name);
  std::vector<std::string> take_all(const std::string& name);
  // A decimal from `min` to `max`, or `fallback` when it is absent.
  std::int64_t take_int(const std::string& name, std::int64_t min, std::int64_t max,
                        std::int64_t fallback);
  bool take_bool(const std::string& name);  // absent: false
  // invalid_request when a parameter was not taken.
  void finish() const;

 private:
  std::string text_;
  std::map<std::string, std::vector<std::string>> parameters_;
};

// 422 invalid_request, whose errors name the parameter.
[[noreturn]] void bad_query(const std::string& name, const std::string& detail);

// A canonical decimal from 1 to 2^63 - 1, else bad_id.
TaskId parse_task_id(std::string_view text);

// Cursors are opaque to clients and good only for the list that gave them: `list` names it with all
// its filters. Not a secret: a forged one shows nothing its user may not see.
std::string make_cursor(TaskId last, std::string_view list);
TaskId parse_cursor(std::string_view cursor, std::string_view list);  // or bad_cursor

}  // namespace taskd
