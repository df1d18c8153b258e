// Assembles a chunked body (RFC 9112, section 7.1), as strictly as heads are parsed.
//
// The result depends only on the bytes, not on how they were split. Chunk extensions and trailers
// are checked for syntax and size, and dropped. Not thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace taskd {

struct ServerLimits;

class ChunkedBody {
 public:
  // `limits` must outlive this object.
  explicit ChunkedBody(const ServerLimits& limits) : limits_(limits) {}

  // Consumes what it can of `bytes` and returns how much. If less than all, the rest is the start
  // of an incomplete line or, once done() is true, of the next request. Throws ProblemError; then
  // nothing that follows can be read.
  std::size_t feed(std::string_view bytes);
  bool done() const { return state_ == State::done; }
  std::string_view body() const { return body_; }
  std::size_t capacity() const { return body_.capacity(); }

 private:
  enum class State { size_line, data, data_end, trailer, done };

  // Consumes one line or some data; returns false if its end has not arrived.
  bool step(std::string_view& bytes);
  bool take_line(std::string_view& bytes, std::string_view& line);
  void read_size(std::string_view line);
  void read_trailer(std::string_view line);

  const ServerLimits& limits_;
  State state_ = State::size_line;
  std::size_t left_bytes_ = 0;      // of the current chunk
  std::size_t overhead_bytes_ = 0;  // extensions and trailers so far
  int trailers_ = 0;
  std::string body_;
};

}  // namespace taskd
