// A small HTTP/1.1 client over a Unix socket: one connection, one request, one answer.
//
// Accepts only well-formed HTTP within the limits below; anything else is a ProtocolError. One
// thread per object.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/base/unique_fd.h"

namespace taskd::ctl {

// The peer does not speak the HTTP that we expect.
struct ProtocolError : std::runtime_error {
  using std::runtime_error::runtime_error;
};
// The connection ended before the answer did; `answer_begun`: part of it had arrived.
struct ConnectionLost : std::runtime_error {
  ConnectionLost(bool begun, const std::string& what)
      : std::runtime_error(what), answer_begun(begun) {}
  bool answer_begun;
};
// The connection failed; `error` is the errno of connect().
struct ConnectFailed : std::runtime_error {
  ConnectFailed(int e, const std::string& what) : std::runtime_error(what), error(e) {}
  int error;
};
// The daemon's user is neither root, nor the caller, nor the user that was named. Nothing was sent
// to it.
struct UntrustedPeer : std::runtime_error {
  UntrustedPeer(std::uint32_t u, const std::string& what) : std::runtime_error(what), uid(u) {}
  std::uint32_t uid;
};
// The peer sent nothing for too long.
struct AnswerTimeout : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct HttpRequest {
  std::string method = "GET";
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;  // JSON; "" = none
};

inline constexpr std::size_t kMaxAnswerHeadBytes = 32 * 1024;
inline constexpr std::size_t kMaxAnswerBodyBytes = std::size_t{256} << 20;  // without a sink

// Parses an answer from pieces of any size.
class ResponseParser {
 public:
  using BodySink = std::function<void(std::string_view)>;

  // The body of a 200 goes to `sink` as it arrives. Without a sink, and for other statuses, it is
  // kept in body().
  explicit ResponseParser(BodySink sink = {});

  // Consumes all of `bytes`. Throws ProtocolError; then the parser must not be used any more.
  void feed(std::string_view bytes);
  bool done() const { return state_ == State::done; }
  bool begun() const { return begun_; }

  // Valid once the head has been read.
  int status() const { return status_; }
  // `name` must be lower case. Null if there is none.
  const std::string* header(std::string_view name) const;
  const std::string& body() const { return body_; }

 private:
  enum class State { head, fixed_body, chunk_size, chunk_data, chunk_end, trailers, done };

  bool take_line(std::string_view& bytes, std::string& line);
  void take_body(std::string_view& bytes, State next);
  void on_head_line(const std::string& line);
  void on_head_end();
  void on_chunk_size(const std::string& line);
  void emit(std::string_view bytes);

  BodySink sink_;
  State state_ = State::head;
  bool begun_ = false;
  int status_ = 0;  // 0: no status line yet
  std::vector<std::pair<std::string, std::string>> headers_;
  std::string line_;            // an unfinished line
  std::size_t head_bytes_ = 0;  // of this head, or of the trailers
  std::size_t remaining_ = 0;   // of the fixed body or the chunk
  std::string body_;
};

// One request in flight.
class Exchange {
 public:
  // Connects (waiting up to 5 s for room in the daemon's backlog) and sends the whole request,
  // unless the daemon is a stranger's: `trusted_uid` is whose may answer besides root's and our
  // own. Throws ConnectFailed, UntrustedPeer, AnswerTimeout or std::system_error.
  Exchange(const std::string& socket_path, const HttpRequest& request,
           ResponseParser::BodySink sink = {}, std::optional<std::uint32_t> trusted_uid = {});

  // Readable when step() has something to do.
  int fd() const { return fd_.get(); }
  // Reads what has come, without waiting. True once the answer is complete. Throws ProtocolError
  // or ConnectionLost.
  bool step();
  // Reads to the end of the answer. Throws AnswerTimeout after `quiet_ms` without a byte.
  void finish(int quiet_ms);

  const ResponseParser& answer() const { return parser_; }

 private:
  void send_all(std::string_view bytes);

  UniqueFd fd_;
  ResponseParser parser_;
};

// `text` as it may stand in a query: all but unreserved characters as %XX.
std::string percent_encode(std::string_view text);

}  // namespace taskd::ctl
