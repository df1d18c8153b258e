// parse_strict_json(): nlohmann's lexer already rejects bad UTF-8, lone surrogates and loose
// syntax; our handler rejects the rest.

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

#include "daemon/base/text.h"
#include "daemon/task/strict_json.h"

namespace taskd {
namespace {

using nlohmann::json;

constexpr std::size_t kMaxDepth = 32;

// Iterates over text and stores the position in `reached`, since the handler gets values without
// positions.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, const char** reached) : at_(at), reached_(reached) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    *reached_ = ++at_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  const char** reached_;
};

class StrictHandler final : public json::json_sax_t {
 public:
  StrictHandler(std::string_view text, bool only_object)
      : text_(text), only_object_(only_object), reached_(text.data()) {}

  // Returns the document or the error. Call once.
  std::variant<json, JsonError> parse() {
    const CountingIterator begin(text_.data(), &reached_);
    const CountingIterator end(text_.data() + text_.size(), &reached_);
    if (!json::sax_parse(begin, end, this)) return std::move(error_);
    return std::move(root_);
  }

  bool null() override { return add(nullptr) != nullptr; }
  bool boolean(bool value) override { return add(value) != nullptr; }
  bool number_integer(number_integer_t value) override { return add(value) != nullptr; }
  bool number_unsigned(number_unsigned_t value) override { return add(value) != nullptr; }
  bool number_float(number_float_t value, const string_t& spelling) override {
    // The lexer turns integers that do not fit into floats.
    if (spelling.find_first_of(".eE") == string_t::npos) return fail("the number is too large");
    return add(value) != nullptr;
  }
  bool string(string_t& value) override {
    if (value.find('\0') != string_t::npos) return fail("strings must not contain \\u0000");
    return add(std::move(value)) != nullptr;
  }
  bool binary(binary_t&) override { return fail("binary values are not JSON"); }

  bool start_object(std::size_t) override { return open(json::object()); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_array() override { return close(); }

  bool key(string_t& name) override {
    if (name.find('\0') != string_t::npos) return fail("names must not contain \\u0000");
    auto& object = open_.back()->get_ref<json::object_t&>();
    const auto [position, is_new] = object.emplace(std::move(name), nullptr);
    if (!is_new) return fail("duplicate field " + in_quotes(position->first));
    slot_ = &position->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::detail::exception& failure) override {
    // `position` counts from 1, and is one more at the end of the text.
    error_ = {std::min(position == 0 ? 0 : position - 1, text_.size()), words_of(failure)};
    return false;
  }

 private:
  // The library's message without the position, which the caller adds, and without the quoted text,
  // which may be very long: "[…] parse error at line 1, column 3: syntax error while parsing value
  // - invalid literal; last read: 'x'", "[…] number overflow parsing '1e999'".
  static std::string words_of(const nlohmann::detail::exception& failure) {
    std::string_view words = failure.what();
    if (words.find("number overflow") != std::string_view::npos) return "the number is too large";
    constexpr std::string_view kSeparator = " - ";
    if (const auto place = words.find(kSeparator); place != std::string_view::npos)
      words.remove_prefix(place + kSeparator.size());
    return escape_for_humans(words.substr(0, words.find("; last read: ")));
  }

  bool fail(std::string detail) {
    error_ = {static_cast<std::size_t>(reached_ - text_.data()), std::move(detail)};
    return false;
  }

  // Puts the value in the next place. Returns null after a failure.
  json* add(json value) {
    if (open_.empty()) {
      if (only_object_ && !value.is_object()) {
        fail("the document must be one object");
        return nullptr;
      }
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) return &open_.back()->emplace_back(std::move(value));
    *slot_ = std::move(value);
    return slot_;
  }

  bool open(json empty) {
    if (open_.size() == kMaxDepth) return fail("nested deeper than 32 levels");
    json* const added = add(std::move(empty));
    if (added == nullptr) return false;
    open_.push_back(added);
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string_view text_;
  const bool only_object_;
  const char* reached_;
  json root_;
  std::vector<json*>
      // From the root to the innermost; a container does not grow while an inner one is open.
      open_;
  json* slot_ = nullptr;  // place for the value of the last key
  JsonError error_;
};

std::variant<json, JsonError> parse(std::string_view text, bool only_object) {
  // The lexer takes a NUL byte for the end and would ignore what follows.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    return JsonError{nul, "the document contains a NUL byte"};
  // The lexer skips it, but RFC 8259, section 8.1, forbids sending it.
  if (text.starts_with("\xEF\xBB\xBF"))
    return JsonError{0, "the document begins with a byte order mark; send it without"};
  return StrictHandler(text, only_object).parse();
}

}  // namespace

std::variant<json, JsonError> parse_strict_json(std::string_view text) {
  return parse(text, /*only_object=*/true);
}

std::variant<json, JsonError> parse_strict_value(std::string_view text) {
  return parse(text, /*only_object=*/false);
}

}  // namespace taskd
