#include "daemon/base/json_writer.h"

#include <array>
#include <charconv>

namespace taskd {
namespace {

template <class Number>
void append_number(std::string& out, Number number) {
  std::array<char, 32> buffer;  // any int64, and any double in its shortest exact form
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  out.append(buffer.data(), result.ptr);
}

}  // namespace

void JsonWriter::value(std::string_view text) {
  separate();
  out_ += '"';
  std::size_t done = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0x20 && byte != '"' && byte != '\\') continue;
    out_.append(text, done, i - done);
    done = i + 1;
    escape(byte);
  }
  out_.append(text, done);
  out_ += '"';
}

void JsonWriter::value(double number) {
  separate();
  append_number(out_, number);
}

void JsonWriter::integer(std::int64_t number) {
  separate();
  append_number(out_, number);
}

void JsonWriter::escape(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  out_ += '\\';
  if (byte == '"' || byte == '\\') {
    out_ += static_cast<char>(byte);
  } else if (byte == '\n') {
    out_ += 'n';
  } else {
    out_.append("u00").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 0xF]);
  }
}

}  // namespace taskd
