// Strict parsing of foreign JSON, and bytes in JSON. Pure functions.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace taskd {

class JsonWriter;

// One error in a JSON document. `pointer` is an RFC 6901 fragment, percent-encoded to plain ASCII:
// "#/argv/0", "#/env/A%20B".
struct FieldError {
  std::string pointer;
  std::string detail;
  bool is_type = false;  // wrong type, unknown word, or empty
};
using FieldErrors = std::vector<FieldError>;
inline constexpr std::size_t kMaxFieldErrors = 100;  // no more are reported

// Reads one object: no duplicate keys, depth at most 32, valid UTF-8 without lone surrogates or
// \u0000, integers that fit 64 bits. The error says how far the parser came.
struct JsonError {
  std::size_t offset_bytes = 0;
  std::string detail;
};
std::variant<nlohmann::json, JsonError> parse_strict_json(std::string_view text);
// The same for any single value.
std::variant<nlohmann::json, JsonError> parse_strict_value(std::string_view text);

// Bytes that may not be UTF-8 (arguments, paths, values of variables) as JSON: a string if they are
// UTF-8, else {"base64":"…"}.
nlohmann::json bytes_to_json(std::string_view bytes);
void write_bytes(JsonWriter& writer, std::string_view bytes);
// Reads either form; returns nothing for any other value.
std::optional<std::string> bytes_from_json(const nlohmann::json& value);

}  // namespace taskd
