// What stands behind a flag, understood. Everything throws UsageError: 64 for a wrong value, 65 for
// text that JSON cannot carry.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/task/rate_limit.h"

namespace taskd::ctl {

// JSON is UTF-8: other bytes cannot reach the daemon, and must not be bent on the way.
const std::string& checked(std::string_view what, const std::string& text);

int int_flag(std::string_view flag, const std::string& text);

// Whether it is in range, the daemon says.
std::int64_t whole_number_flag(std::string_view flag, const std::string& text);
// Whether only the numbers in it are wrong: with 1 instead of each it would do.
bool is_out_of_range(const std::string& text,
                     const std::function<bool(const std::string&)>& is_right);

// A count of starts and a time, such as "10/1m".
RateLimit rate_value(std::string_view flag, const std::string& text);
// A limit as the API takes it: a whole number, or null for "none".
nlohmann::json limit_flag(std::string_view flag, const std::string& text);
// The same of a rate, such as "10/1m".
nlohmann::json rate_flag(std::string_view flag, const std::string& text);

// "K=V" -> K, V. `wanted` says how it is written.
std::pair<std::string, std::string> key_and_value(std::string_view flag, const std::string& text,
                                                  std::string_view wanted = "KEY=VALUE");

// What stands between commas, of all occurrences.
std::vector<std::string> split_lists(const std::vector<std::string>& texts);

}  // namespace taskd::ctl
