#include "ctl/net/http.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "daemon/base/ascii.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kMaxHeaders = 100;
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr int kConnectSeconds = 5;
constexpr int kSendSeconds = 60;

// Parses all of `text` as an unsigned number of at most 15 digits, so nothing can overflow.
std::size_t parse_size(std::string_view text, int base, const char* what) {
  std::size_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value, base);
  if (text.empty() || text.size() > 15 || error != std::errc() || stop != end)
    throw ProtocolError(std::string("a wrong ") + what);
  return value;
}

void set_send_timeout(int fd, int seconds) {
  const timeval limit{.tv_sec = seconds, .tv_usec = 0};
  if (::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0)
    throw_errno("setsockopt SO_SNDTIMEO");
}

// A blocking connect() waits for room in a full backlog; SO_SNDTIMEO bounds that wait. The listener
// receives environments and commands, and its answers are trusted, so check who it is. SO_PEERCRED
// names the caller of listen(); for a socket of systemd that is systemd.
void check_peer(int fd, std::optional<std::uint32_t> trusted_uid, const std::string& path) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
    throw_errno("getsockopt SO_PEERCRED");
  if (peer.uid == 0 || peer.uid == ::geteuid() || peer.uid == trusted_uid) return;
  throw UntrustedPeer(peer.uid, path);
}

UniqueFd connect_unix(const std::string& path, std::optional<std::uint32_t> trusted_uid) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) throw ConnectFailed(ENAMETOOLONG, path);
  std::memcpy(address.sun_path, path.data(), path.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) throw_errno("socket");
  set_send_timeout(fd.get(), kConnectSeconds);
  int result;
  do {
    result = ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  } while (result != 0 && errno == EINTR);
  if (result != 0) throw ConnectFailed(errno, path);
  check_peer(fd.get(), trusted_uid, path);
  set_send_timeout(fd.get(), kSendSeconds);
  return fd;
}

std::string to_bytes(const HttpRequest& request) {
  std::string out = request.method + " " + request.target + " HTTP/1.1\r\n";
  out.append("Host: taskd\r\nConnection: close\r\n");
  for (const auto& [name, value] : request.headers)
    out.append(name).append(": ").append(value).append("\r\n");
  if (!request.body.empty()) out.append("Content-Type: application/json\r\n");
  if (!request.body.empty() || request.method == "POST")
    out.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  return out.append("\r\n").append(request.body);
}

}  // namespace

ResponseParser::ResponseParser(BodySink sink) : sink_(std::move(sink)) {}

const std::string* ResponseParser::header(std::string_view name) const {
  for (const auto& [key, value] : headers_) {
    if (key == name) return &value;
  }
  return nullptr;
}

void ResponseParser::feed(std::string_view bytes) {
  if (!bytes.empty()) begun_ = true;
  std::string line;
  while (!bytes.empty()) {
    switch (state_) {
      case State::head:
        if (take_line(bytes, line)) line.empty() ? on_head_end() : on_head_line(line);
        break;
      case State::fixed_body:
        take_body(bytes, State::done);
        break;
      case State::chunk_size:
        if (take_line(bytes, line)) on_chunk_size(line);
        break;
      case State::chunk_data:
        take_body(bytes, State::chunk_end);
        break;
      case State::chunk_end:
        if (!take_line(bytes, line)) break;
        if (!line.empty()) throw ProtocolError("a chunk longer than its size");
        head_bytes_ = 0;
        state_ = State::chunk_size;
        break;
      case State::trailers:
        if (take_line(bytes, line) && line.empty()) state_ = State::done;
        break;
      case State::done:
        throw ProtocolError("bytes after the end of the answer");
    }
  }
}

// Moves bytes up to CR LF into `line`. Returns false while the line is incomplete.
bool ResponseParser::take_line(std::string_view& bytes, std::string& line) {
  const std::size_t end = bytes.find('\n');
  const std::size_t taken = end == std::string_view::npos ? bytes.size() : end + 1;
  head_bytes_ += taken;
  if (head_bytes_ > kMaxAnswerHeadBytes) throw ProtocolError("a head without end");
  line_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  if (end == std::string_view::npos) return false;
  if (!line_.ends_with("\r\n")) throw ProtocolError("a line that does not end in CR LF");
  line_.resize(line_.size() - 2);
  if (line_.find_first_of(std::string_view("\0\r", 2)) != std::string::npos)
    throw ProtocolError("a control character in the head");
  line = std::move(line_);
  line_.clear();
  return true;
}

void ResponseParser::take_body(std::string_view& bytes, State next) {
  const std::size_t taken = std::min(bytes.size(), remaining_);
  emit(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
  remaining_ -= taken;
  if (remaining_ == 0) state_ = next;
}

void ResponseParser::on_head_line(const std::string& line) {
  if (status_ == 0) {
    const std::string_view text = line;
    if (text.size() < 12 || !(text.starts_with("HTTP/1.1 ") || text.starts_with("HTTP/1.0 ")) ||
        (text.size() > 12 && text[12] != ' '))
      throw ProtocolError("no HTTP status line");
    status_ = static_cast<int>(parse_size(text.substr(9, 3), 10, "status"));
    if (status_ < 100 || status_ > 599) throw ProtocolError("a wrong status");
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string::npos || !is_token(std::string_view(line).substr(0, colon)))
    throw ProtocolError("a wrong header line");
  if (headers_.size() == kMaxHeaders) throw ProtocolError("too many header lines");
  std::string name = to_lower(std::string_view(line).substr(0, colon));
  const bool frames = name == "content-length" || name == "transfer-encoding";
  if (frames && header(name) != nullptr) throw ProtocolError("two " + name + " headers");
  headers_.emplace_back(std::move(name), trim_blanks(std::string_view(line).substr(colon + 1)));
}

void ResponseParser::on_head_end() {
  if (status_ == 0) throw ProtocolError("no HTTP status line");
  if (status_ < 200) {  // an interim answer; the real one follows
    if (status_ == 101) throw ProtocolError("a switch to another protocol");
    status_ = 0;
    headers_.clear();
    return;  // head_bytes_ keeps counting, which bounds their number
  }
  head_bytes_ = 0;
  const std::string* const length = header("content-length");
  const std::string* const encoding = header("transfer-encoding");
  if (length != nullptr && encoding != nullptr)
    throw ProtocolError("both Content-Length and Transfer-Encoding");
  if (status_ == 204 || status_ == 304) {
    state_ = State::done;
  } else if (encoding != nullptr) {
    if (to_lower(*encoding) != "chunked") throw ProtocolError("an unknown transfer encoding");
    state_ = State::chunk_size;
  } else if (length != nullptr) {
    remaining_ = parse_size(*length, 10, "Content-Length");
    state_ = remaining_ == 0 ? State::done : State::fixed_body;
  } else {
    throw ProtocolError("a body of unknown length");  // its end would look the same as a crash
  }
}

void ResponseParser::on_chunk_size(const std::string& line) {
  head_bytes_ = 0;
  const std::string_view digits = std::string_view(line).substr(0, line.find(';'));
  remaining_ = parse_size(trim_blanks(digits), 16, "chunk size");
  state_ = remaining_ == 0 ? State::trailers : State::chunk_data;
}

void ResponseParser::emit(std::string_view bytes) {
  if (sink_ && status_ == 200) {
    sink_(bytes);
    return;
  }
  if (body_.size() + bytes.size() > kMaxAnswerBodyBytes) throw ProtocolError("a body without end");
  body_.append(bytes);
}

Exchange::Exchange(const std::string& socket_path, const HttpRequest& request,
                   ResponseParser::BodySink sink, std::optional<std::uint32_t> trusted_uid)
    : fd_(connect_unix(socket_path, trusted_uid)), parser_(std::move(sink)) {
  send_all(to_bytes(request));
}

// A daemon that refuses early closes its side while we send; its answer must still be read.
void Exchange::send_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE || errno == ECONNRESET) return;
      if (errno == EAGAIN) throw AnswerTimeout("the daemon does not take the request");
      throw_errno("send");
    }
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Exchange::step() {
  char buffer[kReadBytes];
  ssize_t received;
  do {
    received = ::recv(fd_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
  } while (received < 0 && errno == EINTR);
  if (received < 0 && errno == EAGAIN) return parser_.done();
  if (received < 0 && errno != ECONNRESET) throw_errno("recv");
  if (received <= 0) {
    if (parser_.done()) return true;
    throw ConnectionLost(parser_.begun(), parser_.begun()
                                              ? "the connection broke in the middle of the answer"
                                              : "the connection ended without an answer");
  }
  parser_.feed({buffer, static_cast<std::size_t>(received)});
  return parser_.done();
}

void Exchange::finish(int quiet_ms) {
  while (!step()) {
    pollfd ready{.fd = fd_.get(), .events = POLLIN, .revents = 0};
    const int count = ::poll(&ready, 1, quiet_ms);
    if (count < 0 && errno != EINTR) throw_errno("poll");
    if (count == 0)
      throw AnswerTimeout("no answer within " + std::to_string(quiet_ms / 1000) + " s");
  }
}

std::string percent_encode(std::string_view text) {
  constexpr std::string_view kPlain = "-._~";
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = is_letter_or_digit(c) || kPlain.find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

}  // namespace taskd::ctl
