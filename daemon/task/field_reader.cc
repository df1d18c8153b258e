#include "daemon/task/field_reader.h"

#include <cctype>

#include "daemon/base/text.h"

namespace taskd {

using nlohmann::json;

std::string pointer_step(std::string_view name) {
  constexpr std::size_t kMaxBytes = 200;
  if (name.size() > kMaxBytes) return pointer_step(name.substr(0, kMaxBytes)) + "...";
  std::string out = "/";
  for (const char c : name) {
    if (c == '~') {
      out += "~0";
    } else if (c == '/') {
      out += "~1";
    } else if (std::isalnum(static_cast<unsigned char>(c)) != 0 ||
               std::string_view("-._!$&'()*+,;=:@?").find(c) != std::string_view::npos) {
      out += c;
    } else {
      out.append(1, '%').append(to_hex({&c, 1}));
    }
  }
  return out;
}

bool is_close(std::string_view written, std::string_view known) {
  const std::size_t shorter = std::min(written.size(), known.size());
  if (std::max(written.size(), known.size()) - shorter > 3 || shorter < 3) return false;
  std::string text(written);
  for (char& c : text) {
    if (c == '-') c = '_';
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text + "_ms" == known || edit_distance(text, known) <= (shorter > 4 ? 2 : 1);
}

void FieldReader::complain(std::string at, std::string detail, bool is_type) {
  if (errors_.size() < kMaxFieldErrors)
    errors_.push_back({std::move(at), std::move(detail), is_type});
}

bool FieldReader::limit(bool holds, const std::string& at, std::string_view detail) {
  if (holds || !has_limits()) return true;
  complain(at, std::string(detail));
  return false;
}

bool FieldReader::not_empty(std::string_view text, const std::string& at) {
  if (!text.empty() || !has_limits()) return true;
  complain(at, "must not be empty", /*is_type=*/true);
  return false;
}

bool FieldReader::at_most(std::size_t count, std::size_t max, const std::string& at,
                          std::string_view what) {
  if (count <= max || !has_limits()) return true;
  complain(at, "must have at most " + std::to_string(max) + " " + std::string(what));
  return false;
}

void FieldReader::wrong_type(const json& value, const std::string& at, std::string_view wanted) {
  complain(at, value.is_null() ? "must not be null; leave it out" : "must be " + std::string(wanted),
           /*is_type=*/true);
}

void FieldReader::unknown(std::string at, std::string_view meant) {
  if (source_ == Source::answer) return;
  std::string detail = "unknown field";
  if (!meant.empty()) detail.append("; did you mean \"").append(meant).append("\"?");
  complain(std::move(at), std::move(detail));
}

const std::string* FieldReader::string(const json& value, const std::string& at) {
  const auto* text = value.get_ptr<const std::string*>();
  if (text == nullptr) wrong_type(value, at, "a string");
  return text;
}

const std::string* FieldReader::c_string(const json& value, const std::string& at,
                                         std::size_t max_bytes) {
  const std::string* text = string(value, at);
  if (text == nullptr) return nullptr;
  const bool fits = limit(text->find('\0') == std::string::npos, at, "must not contain NUL") &&
                    at_most(text->size(), max_bytes, at, "bytes");
  return fits ? text : nullptr;
}

bool FieldReader::c_bytes(const json& value, const std::string& at, std::size_t max_bytes,
                          std::string& out) {
  json decoded;
  if (value.is_object()) {
    auto bytes = bytes_from_json(value);
    if (!bytes) {
      complain(at, "must be a string, or {\"base64\":\"…\"} with the base64 of its bytes");
      return false;
    }
    decoded = *std::move(bytes);
  }
  const std::string* text = c_string(value.is_object() ? decoded : value, at, max_bytes);
  if (text != nullptr) out = *text;
  return text != nullptr;
}

bool FieldReader::plain(std::string_view text, const std::string& at, std::size_t max_bytes) {
  return at_most(text.size(), max_bytes, at, "bytes") &&
         limit(is_plain_text(text), at,
               "must not contain control, invisible or direction-changing characters");
}

void FieldReader::duration(const json& value, const std::string& at, std::int64_t& out) {
  integer(value, at, 0, kMaxDurationMs, out);
}

void FieldReader::boolean(const json& value, const std::string& at, bool& out) {
  if (!value.is_boolean()) return wrong_type(value, at, "true or false");
  out = value.get<bool>();
}

}  // namespace taskd
