// Locale-independent tests for ASCII letters and digits, and the lists and tokens that HTTP and
// other protocols build from them. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace taskd {

constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter_or_digit(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// The value of a hexadecimal digit in either case; -1 for anything else.
constexpr int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::string to_lower(std::string_view text);
// Removes spaces and tabs at both ends.
std::string_view trim_blanks(std::string_view text);
// Whether `text` is an HTTP token (RFC 9110, section 5.6.2), such as a header name.
bool is_token(std::string_view text);
// "a,,b" has three parts, "" none.
std::vector<std::string_view> split(std::string_view text, char separator);

}  // namespace taskd
