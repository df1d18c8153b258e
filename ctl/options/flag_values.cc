#include "ctl/options/flag_values.h"

#include <algorithm>
#include <climits>
#include <nlohmann/json.hpp>

#include "ctl/base/count_text.h"
#include "ctl/base/failure.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"
#include "daemon/task/start_constraints_json.h"

namespace taskd::ctl {

const std::string& checked(std::string_view what, const std::string& text) {
  if (!is_valid_utf8(text))
    throw UsageError(kExitBadData,
                     std::string(what) + " is not UTF-8 and cannot be sent: " + in_quotes(text));
  return text;
}

int int_flag(std::string_view flag, const std::string& text) {
  const auto value = parse_int(text);
  if (!value || *value < INT_MIN || *value > INT_MAX)
    throw UsageError(kExitUsage, std::string(flag) + ": " + in_quotes(text) + " is not a number");
  return static_cast<int>(*value);
}

std::int64_t whole_number_flag(std::string_view flag, const std::string& text) {
  if (const auto value = parse_int(text)) return *value;
  throw UsageError(kExitUsage,
                   std::string(flag) + ": " + in_quotes(text) + " is not a whole number");
}

nlohmann::json limit_flag(std::string_view flag, const std::string& text) {
  if (text == "none") return nullptr;
  return whole_number_flag(flag, text);
}

nlohmann::json rate_flag(std::string_view flag, const std::string& text) {
  if (text == "none") return nullptr;
  return rate_to_json(rate_value(flag, text));
}

bool is_out_of_range(const std::string& text,
                     const std::function<bool(const std::string&)>& is_right) {
  std::string ones;
  bool in_number = false;
  for (const char c : text) {
    const bool digit = c >= '0' && c <= '9';
    if (!digit) ones.push_back(c);
    if (digit && !in_number) ones.push_back('1');
    in_number = digit;
  }
  return is_right(ones);
}

RateLimit rate_value(std::string_view flag, const std::string& text) {
  if (const auto rate = parse_rate(text)) return *rate;
  const bool only_range =
      is_out_of_range(text, [](const std::string& ones) { return parse_rate(ones).has_value(); });
  throw UsageError(kExitUsage,
                   std::string(flag) + ": " + in_quotes(text) +
                       (only_range ? " is out of range: from 1 to " + format_count(kMaxRateCount) +
                                         " starts, in 1ms to " + format_duration_ms(kMaxRatePerMs) +
                                         ", a burst from 1 to the count"
                                   : " is not a count and a time, such as 10/1m or 5/s,burst=2"));
}

std::pair<std::string, std::string> key_and_value(std::string_view flag, const std::string& text,
                                                  std::string_view wanted) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0)
    throw UsageError(kExitUsage,
                     std::string(flag) + ": " + in_quotes(text) + " is not " + std::string(wanted));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

std::vector<std::string> split_lists(const std::vector<std::string>& texts) {
  std::vector<std::string> parts;
  for (const std::string& text : texts) {
    for (std::size_t begin = 0; begin <= text.size();) {
      const std::size_t end = std::min(text.find(',', begin), text.size());
      parts.push_back(text.substr(begin, end - begin));
      begin = end + 1;
    }
  }
  return parts;
}

}  // namespace taskd::ctl
