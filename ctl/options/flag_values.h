// Parses flag values. Everything throws UsageError: 64 for an invalid value, 65 for text that JSON
// cannot represent.
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

// Requires UTF-8, since JSON cannot carry other bytes and they must not be altered silently.
const std::string& checked(std::string_view what, const std::string& text);

int int_flag(std::string_view flag, const std::string& text);

// Does not check the range; the daemon does.
std::int64_t whole_number_flag(std::string_view flag, const std::string& text);
// Whether only the numbers in it are wrong: it would be valid with 1 in place of each.
bool is_out_of_range(const std::string& text,
                     const std::function<bool(const std::string&)>& is_right);

// A count of starts and a time, such as "10/1m".
RateLimit rate_value(std::string_view flag, const std::string& text);
// A limit for the API: a whole number, or null for "none".
nlohmann::json limit_flag(std::string_view flag, const std::string& text);
// The same for a rate, such as "10/1m".
nlohmann::json rate_flag(std::string_view flag, const std::string& text);

// "K=V" -> K, V. `wanted` describes the form for the error.
std::pair<std::string, std::string> key_and_value(std::string_view flag, const std::string& text,
                                                  std::string_view wanted = "KEY=VALUE");

// The comma-separated parts of all occurrences.
std::vector<std::string> split_lists(const std::vector<std::string>& texts);

}  // namespace taskd::ctl
