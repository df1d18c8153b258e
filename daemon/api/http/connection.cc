#include "daemon/api/http/connection.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "daemon/api/http/request_limits.h"
#include "daemon/base/errors.h"

namespace taskd {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::int64_t kLingerMs = 2'000;

bool would_block(int error) {
  return error == EAGAIN || error == EWOULDBLOCK;
}

ssize_t receive_into(int fd, std::array<char, kReadBytes>& buffer, std::size_t room) {
  for (;;) {
    const ssize_t n = ::recv(fd, buffer.data(), std::min(room, buffer.size()), MSG_DONTWAIT);
    if (n >= 0 || errno != EINTR) return n;
  }
}

ssize_t send_from(int fd, std::string_view bytes) {
  for (;;) {
    const ssize_t n = ::send(fd, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0 || errno != EINTR) return n;
  }
}

// Frees the memory of a long message instead of keeping it for an idle client.
void clear_buffer(std::string& buffer, std::size_t& offset) {
  buffer.clear();
  if (buffer.capacity() > kReadBytes) buffer.shrink_to_fit();
  offset = 0;
}

}  // namespace

HttpConnection::HttpConnection(UniqueFd fd, const ServerLimits& limits, BootTime now)
    : fd_(std::move(fd)), limits_(limits), phase_since_(now) {
  socklen_t length = sizeof peer_;
  if (::getsockopt(fd_.get(), SOL_SOCKET, SO_PEERCRED, &peer_, &length) != 0) {
    throw_errno("getsockopt(SO_PEERCRED)");
  }
}

bool HttpConnection::receive(BootTime now) {
  input_.erase(0, std::exchange(used_, 0));
  std::array<char, kReadBytes> buffer;
  while (const std::size_t room = std::min(wanted_bytes(), buffer.size())) {
    const ssize_t n = receive_into(fd(), buffer, room);
    if (n < 0) return would_block(errno);
    if (n == 0) {
      at_end_ = true;
      return true;
    }
    if (!in_request()) phase_since_ = now;
    input_.append(buffer.data(), static_cast<std::size_t>(n));
    // Less than asked for: nothing more has arrived, and epoll will report when it does.
    if (static_cast<std::size_t>(n) < room) return true;
  }
  return true;
}

// How much to read before the next check; the kernel keeps the rest.
std::size_t HttpConnection::wanted_bytes() const {
  const std::size_t most = head_ && !chunked_ ? head_->head_bytes + head_->body_bytes
                           : head_            ? head_->head_bytes + kReadBytes
                                              : limits_.max_head_bytes;
  return most - std::min(most, input_.size());
}

std::optional<HttpRequest> HttpConnection::next_request(BootTime now) {
  const std::string_view rest = std::string_view(input_).substr(used_);
  if (!head_) {
    if (rest.empty()) return std::nullopt;
    head_ = parse_http_head(rest, limits_);
    if (!head_) return std::nullopt;
    phase_since_ = now;
    if (head_->chunked) chunked_.emplace(limits_);
  }
  if (chunked_) return next_chunked();
  if (rest.size() < head_->head_bytes + head_->body_bytes) {
    continue_if_expected();
    return std::nullopt;
  }
  return HttpRequest{*head_, rest.substr(head_->head_bytes, head_->body_bytes)};
}

std::optional<HttpRequest> HttpConnection::next_chunked() {
  const std::size_t at = used_ + head_->head_bytes;
  input_.erase(at, chunked_->feed(std::string_view(input_).substr(at)));
  if (!chunked_->done()) {
    continue_if_expected();
    return std::nullopt;
  }
  check_body(*head_, chunked_->body().size());
  return HttpRequest{*head_, chunked_->body()};
}

std::size_t HttpConnection::request_bytes() const {
  if (!head_) return 0;
  return chunked_ ? chunked_->capacity() : head_->body_bytes;
}

bool HttpConnection::is_broken() const {
  pollfd self{fd(), 0, 0};  // a half-close is not reported unless asked for
  return ::poll(&self, 1, 0) > 0;
}

void HttpConnection::continue_if_expected() {
  if (!head_->expects_continue || std::exchange(said_continue_, true)) return;
  // A client that does not get this sends its body anyway, after a while.
  send_from(fd(), "HTTP/1.1 100 Continue\r\n\r\n");
}

void HttpConnection::consume(BootTime now) {
  used_ += head_->head_bytes + (chunked_ ? 0 : head_->body_bytes);
  if (!head_->keep_alive) closing_ = true;
  head_.reset();
  chunked_.reset();
  wait_.reset();
  said_continue_ = false;
  phase_since_ = now;
  if (used_ == input_.size()) clear_buffer(input_, used_);
}

bool HttpConnection::send_some(BootTime now) {
  while (has_output()) {
    const ssize_t n = send_from(fd(), std::string_view(output_).substr(sent_));
    if (n < 0) return would_block(errno);
    sent_ += static_cast<std::size_t>(n);
    phase_since_ = now;
  }
  clear_buffer(output_, sent_);
  return true;
}

bool HttpConnection::send_all(std::int64_t timeout_ms, int cancel_fd) {
  for (;;) {
    if (!send_some(phase_since_)) return false;
    if (!has_output()) return true;
    std::array<pollfd, 2> fds = {{{fd(), POLLOUT, 0}, {cancel_fd, POLLIN, 0}}};
    const int ready = ::poll(fds.data(), fds.size(), static_cast<int>(timeout_ms));
    if (ready == 0 || (ready < 0 && errno != EINTR) || fds[1].revents != 0) return false;
  }
}

void HttpConnection::start_lingering(BootTime now) {
  // Fails only if the client is gone, which drain() notices.
  ::shutdown(fd(), SHUT_WR);
  clear_buffer(input_, used_);
  head_.reset();
  chunked_.reset();
  wait_.reset();
  lingering_ = true;
  phase_since_ = now;
}

bool HttpConnection::drain() {
  std::array<char, kReadBytes> buffer;
  for (int reads = 0; reads < 64; ++reads) {
    const ssize_t n = receive_into(fd(), buffer, buffer.size());
    if (n <= 0) return n < 0 && would_block(errno);
  }
  return true;
}

BootTime HttpConnection::deadline() const {
  if (lingering_) return phase_since_ + kLingerMs;
  if (has_output()) return phase_since_ + limits_.write_time_ms;
  if (head_) return phase_since_ + limits_.body_time_ms;
  return phase_since_ + (in_request() ? limits_.head_time_ms : limits_.idle_time_ms);
}

}  // namespace taskd
