// Writes compact JSON as text, front to back. Used where every submit and every listed task passes:
// building a tree of nodes costs ten times as much. Not thread-safe.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace taskd {

// The caller must make the calls in a valid order and pass only valid UTF-8.
class JsonWriter {
 public:
  explicit JsonWriter(std::size_t expected_bytes = 0) { out_.reserve(expected_bytes); }
  std::string take() { return std::move(out_); }
  std::size_t size() const { return out_.size(); }

  void begin(char bracket) {
    separate();
    out_ += bracket;
  }
  void end(char bracket) { out_ += bracket; }
  // `name` must not contain anything that JSON escapes.
  void key(std::string_view name) {
    separate();
    out_.append(1, '"').append(name).append("\":");
  }
  void text_key(std::string_view text) {  // `text` may be anything
    value(text);
    out_ += ':';
  }
  // Writes a value that is already JSON.
  void raw(std::string_view text) {
    separate();
    out_ += text;
  }

  void null() { raw("null"); }
  void value(std::string_view text);
  void value(double number);  // finite; written in its shortest exact form
  template <std::same_as<bool> Bool>
  void value(Bool value) {
    raw(value ? "true" : "false");
  }
  template <std::integral Integer>
  requires(!std::same_as<Integer, bool>) void value(Integer number) {
    integer(std::int64_t{number});
  }
  template <class Item>
  void value(const std::optional<Item>& item) {
    item ? value(*item) : null();
  }
  template <class Item>
  void value(const std::vector<Item>& items) {
    begin('[');
    for (const Item& item : items) value(item);
    end(']');
  }
  template <class Item>
  void value(const std::map<std::string, Item>& items) {
    begin('{');
    for (const auto& [name, item] : items) {
      text_key(name);
      value(item);
    }
    end('}');
  }

  template <class Value>
  void member(std::string_view name, const Value& of_it) {
    key(name);
    value(of_it);
  }

 private:
  // Writes a comma if the next token follows a finished value.
  void separate() {
    if (!out_.empty() && out_.back() != '{' && out_.back() != '[' && out_.back() != ':')
      out_ += ',';
  }
  void integer(std::int64_t number);
  void escape(unsigned char byte);

  std::string out_;
};

}  // namespace taskd
