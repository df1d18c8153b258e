// Reads the fields of a JSON object and collects the errors, the first kMaxFieldErrors of them, so
// that one answer can list them. Not thread-safe; use one reader per document.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "daemon/task/strict_json.h"
#include "daemon/task/submit_limits.h"

namespace taskd {

// Who wrote the document. Only a request is held to upper limits, and only there null is an error;
// elsewhere it means "no value". A row outlives the limits under which it was accepted, and an
// answer may come from a daemon with other limits.
enum class Source {
  request,  // a client: everything is checked
  store,    // this program, when it stored a row: an unknown field is an error
  answer,   // a daemon, maybe a newer one: unknown fields are ignored
};

// Throughout, `at` is the JSON pointer of the value. After an error, `out` keeps its value.
class FieldReader {
 public:
  explicit FieldReader(Source source = Source::request) : source_(source) {}
  Source source() const { return source_; }
  bool has_limits() const { return source_ == Source::request; }

  // Moves the errors out; call it once, at the end.
  FieldErrors take_errors() { return std::move(errors_); }
  bool ok() const { return errors_.empty(); }

  // `is_type`: an error of type, not of range (FieldError::is_type).
  void complain(std::string at, std::string detail, bool is_type = false);
  // Reports `detail` unless the limit holds. Returns whether it holds or limits are not checked.
  bool limit(bool holds, const std::string& at, std::string_view detail);
  bool not_empty(std::string_view text, const std::string& at);
  bool at_most(std::size_t count, std::size_t max, const std::string& at, std::string_view what);
  void wrong_type(const nlohmann::json& value, const std::string& at, std::string_view wanted);
  // Reports an unknown field. `meant` is the field that was probably meant, or "".
  void unknown(std::string at, std::string_view meant);

  // Returns the string, or null after reporting an error.
  const std::string* string(const nlohmann::json& value, const std::string& at);
  // A string for the kernel: no NUL, at most `max_bytes`.
  const std::string* c_string(const nlohmann::json& value, const std::string& at,
                              std::size_t max_bytes);
  // Like c_string(), but accepts any bytes (a path, an argument): a string, or {"base64":"…"} if
  // they are not UTF-8. Returns false after reporting an error.
  bool c_bytes(const nlohmann::json& value, const std::string& at, std::size_t max_bytes,
               std::string& out);
  // Text that people will see in tables and logs. Returns false after reporting an error.
  bool plain(std::string_view text, const std::string& at, std::size_t max_bytes = kMaxNameBytes);

  // Accepts only integers: not 5.0, true or "5".
  template <class Integer>
  void integer(const nlohmann::json& value, const std::string& at, std::int64_t min,
               std::int64_t max, Integer& out) {
    if (!value.is_number_integer()) return wrong_type(value, at, "an integer");
    const bool huge = value.is_number_unsigned() &&
                      value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max();
    const auto number = huge ? 0 : value.get<std::int64_t>();
    if (!has_limits()) {
      max = std::int64_t{std::numeric_limits<Integer>::max()};
    }
    if (huge || number < min || number > max)
      return complain(at, "must be from " + std::to_string(min) + " to " + std::to_string(max));
    out = static_cast<Integer>(number);
  }
  // Accepts one of an enum's words; `wanted` lists them for the error.
  template <class Enum>
  void word(const nlohmann::json& value, const std::string& at,
            std::optional<Enum> (*parse)(std::string_view), std::string_view wanted, Enum& out) {
    const auto* text = value.get_ptr<const std::string*>();
    const auto found = text != nullptr ? parse(*text) : std::nullopt;
    if (!found) return wrong_type(value, at, wanted);
    out = *found;
  }
  // Milliseconds, from 0 to kMaxDurationMs.
  void duration(const nlohmann::json& value, const std::string& at, std::int64_t& out);
  void boolean(const nlohmann::json& value, const std::string& at, bool& out);

 private:
  Source source_;
  FieldErrors errors_;
};

// `name` as a step of a JSON pointer in a URI fragment. A very long name is cut and ends with
// "...", so the pointer resolves to nothing.
std::string pointer_step(std::string_view name);

// Whether `written` may be a misspelling of `known`.
bool is_close(std::string_view written, std::string_view known);

// A field and the function that reads it into a Target.
template <class Target>
struct JsonField {
  std::string_view name;
  void (*read)(FieldReader&, const nlohmann::json& value, const std::string& at, Target&);
};

// Reads every field of `object`, and reports unknown ones.
template <class Target, std::size_t N>
void read_fields(FieldReader& reader, const nlohmann::json& object, const std::string& at,
                 const JsonField<Target> (&fields)[N], Target& target) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_null() && !reader.has_limits()) continue;
    const std::string place = at + pointer_step(name);
    const auto field = std::find_if(std::begin(fields), std::end(fields),
                                    [&key = name](const auto& f) { return f.name == key; });
    if (field != std::end(fields)) {
      field->read(reader, value, place, target);
      continue;
    }
    const auto meant = std::find_if(std::begin(fields), std::end(fields),
                                    [&key = name](const auto& f) { return is_close(key, f.name); });
    reader.unknown(place, meant == std::end(fields) ? "" : meant->name);
  }
}

}  // namespace taskd
