#include "daemon/api/http/chunked_body.h"

#include <algorithm>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/request_limits.h"
#include "daemon/base/ascii.h"

namespace taskd {
namespace {

constexpr std::size_t kMaxSizeDigits = 16;

[[noreturn]] void bad_chunk(const std::string& detail) {
  throw ProblemError(400, "bad_request", "the chunked body: " + detail);
}

bool is_control_char(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

}  // namespace

std::size_t ChunkedBody::feed(std::string_view bytes) {
  const std::size_t all = bytes.size();
  while (!done() && step(bytes)) {
  }
  return all - bytes.size();
}

bool ChunkedBody::step(std::string_view& bytes) {
  if (state_ == State::data) {
    const std::size_t n = std::min(left_bytes_, bytes.size());
    body_.append(bytes.substr(0, n));
    bytes.remove_prefix(n);
    left_bytes_ -= n;
    if (left_bytes_ > 0) return false;
    state_ = State::data_end;
  }
  std::string_view line;
  if (!take_line(bytes, line)) return false;
  switch (state_) {
    case State::size_line:
      read_size(line);
      break;
    case State::data_end:
      if (!line.empty()) bad_chunk("a chunk is longer than its size says");
      state_ = State::size_line;
      break;
    case State::trailer:
      read_trailer(line);
      break;
    case State::data:
    case State::done:
      break;
  }
  return true;
}

bool ChunkedBody::take_line(std::string_view& bytes, std::string_view& line) {
  if (state_ == State::data_end && !std::string_view("\r\n").starts_with(bytes.substr(0, 2))) {
    bad_chunk("a chunk is longer than its size says");
  }
  const auto newline = bytes.substr(0, limits_.max_chunk_line_bytes).find('\n');
  if (newline == bytes.npos) {
    if (bytes.size() >= limits_.max_chunk_line_bytes) bad_chunk("a line is too long");
    return false;
  }
  if (newline == 0 || bytes[newline - 1] != '\r') bad_chunk("a line ends without CR");
  line = bytes.substr(0, newline - 1);
  if (std::any_of(line.begin(), line.end(), is_control_char))
    bad_chunk("a line contains a control character");
  bytes.remove_prefix(newline + 1);
  return true;
}

void ChunkedBody::read_size(std::string_view line) {
  std::size_t digits = 0;
  std::uint64_t size = 0;
  while (digits < line.size() && hex_digit(line[digits]) >= 0) {
    if (digits == kMaxSizeDigits) bad_chunk("a size has too many digits");
    size = size * 16 + static_cast<std::uint64_t>(hex_digit(line[digits++]));
  }
  if (digits == 0) bad_chunk("a size is not a hexadecimal number");
  const std::string_view extension = line.substr(digits);
  if (!extension.empty()) {
    const auto semicolon = extension.find_first_not_of(" \t");
    if (semicolon == extension.npos || extension[semicolon] != ';') {
      bad_chunk("a size is not a hexadecimal number");
    }
    overhead_bytes_ += extension.size();
    if (overhead_bytes_ > limits_.max_head_bytes) bad_chunk("its extensions are too long");
  }
  if (size > limits_.max_body_bytes - body_.size()) {
    throw ProblemError(413, "body_too_large",
                       "a body has at most " + std::to_string(limits_.max_body_bytes) + " bytes");
  }
  left_bytes_ = static_cast<std::size_t>(size);
  state_ = size > 0 ? State::data : State::trailer;
}

void ChunkedBody::read_trailer(std::string_view line) {
  if (line.empty()) {
    state_ = State::done;
    return;
  }
  overhead_bytes_ += line.size();
  if (++trailers_ > limits_.max_headers || overhead_bytes_ > limits_.max_head_bytes) {
    throw ProblemError(431, "headers_too_large",
                       "the trailers of the body are too many or too long");
  }
  const auto colon = line.find(':');
  const auto name = line.substr(0, colon == line.npos ? 0 : colon);
  if (!is_token(name)) {
    bad_chunk("a trailer is not a name and a value");
  }
}

}  // namespace taskd
