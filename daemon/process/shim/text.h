// Text of bounded length, built without allocation. Excess text is cut off.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstring>
#include <string_view>

namespace taskd::shim {

template <std::size_t Size>
class Text {
 public:
  Text& operator<<(std::string_view text) {
    const std::size_t n = text.size() < Size - 1 - length_ ? text.size() : Size - 1 - length_;
    std::memcpy(buffer_ + length_, text.data(), n);
    length_ += n;
    return *this;
  }
  template <std::integral T>
  Text& operator<<(T number) {
    char digits[24];
    return *this << std::string_view(digits,
                                     std::to_chars(digits, digits + sizeof digits, number).ptr);
  }

  const char* c_str() {
    buffer_[length_] = '\0';
    return buffer_;
  }
  std::string_view view() const { return {buffer_, length_}; }

 private:
  char buffer_[Size];
  std::size_t length_ = 0;
};

}  // namespace taskd::shim
