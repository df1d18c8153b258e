#include "bench/connection.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <stdexcept>

#include "daemon/base/errors.h"

namespace taskd::bench {
namespace {

constexpr std::size_t kReadBytes = 256 * 1024;

int number_at(std::string_view text, std::size_t from, const char* what) {
  int value = 0;
  const char* end = text.data() + text.size();
  if (std::from_chars(text.data() + std::min(from, text.size()), end, value).ec != std::errc{}) {
    throw std::runtime_error(std::string("an answer without ") + what);
  }
  return value;
}

}  // namespace

std::string http_request(std::string_view method, std::string_view target, std::string_view body) {
  std::string request(method);
  request.append(" ").append(target).append(" HTTP/1.1\r\nHost: taskd\r\n");
  if (!body.empty()) {
    request += "Content-Type: application/json\r\nContent-Length: ";
    request += std::to_string(body.size()) + "\r\n";
  }
  return request.append("\r\n").append(body);
}

Connection::Connection(const std::string& socket_path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  if (!fd_) throw_errno("socket");
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (socket_path.size() >= sizeof address.sun_path) {
    throw std::invalid_argument("the path of the socket is too long: " + socket_path);
  }
  std::memcpy(address.sun_path, socket_path.data(), socket_path.size());
  if (::connect(fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_errno("connect to " + socket_path);
  }
}

int Connection::peer_pid() const {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) throw_errno("SO_PEERCRED");
  return peer.pid;
}

void Connection::send(std::string_view request) {
  answer_.clear();
  head_bytes_ = answer_bytes_ = 0;
  while (!request.empty()) {
    const ssize_t n = ::send(fd(), request.data(), request.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_errno("send to the daemon");
    request.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool Connection::receive(int expected_status) {
  static thread_local char buffer[kReadBytes];
  const ssize_t n = ::recv(fd(), buffer, sizeof buffer, 0);
  if (n < 0 && errno == EINTR) return false;
  if (n < 0) throw_errno("receive from the daemon");
  if (n == 0) throw std::runtime_error("the daemon closed the connection");
  answer_.append(buffer, static_cast<std::size_t>(n));

  if (head_bytes_ == 0) {
    const std::size_t end = answer_.find("\r\n\r\n");
    if (end == std::string::npos) return false;
    head_bytes_ = end + 4;
    const std::string_view head(answer_.data(), head_bytes_);
    constexpr std::string_view kLength = "\r\nContent-Length: ";
    const std::size_t length = head.find(kLength);
    if (length == std::string_view::npos) throw std::runtime_error("an answer without a length");
    answer_bytes_ = head_bytes_ + static_cast<std::size_t>(number_at(head, length + kLength.size(),
                                                                     "a number for its length"));
  }
  if (answer_.size() < answer_bytes_) return false;
  if (number_at(answer_, std::strlen("HTTP/1.1 "), "a status") != expected_status) {
    throw std::runtime_error("unexpected answer: " + answer_.substr(0, 2000));
  }
  return true;
}

std::string Connection::ask(std::string_view method, std::string_view target, std::string_view body,
                            int expected_status) {
  send(http_request(method, target, body));
  while (!receive(expected_status)) {
  }
  return answer_.substr(head_bytes_);
}

}  // namespace taskd::bench
