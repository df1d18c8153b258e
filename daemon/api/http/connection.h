// One client's connection on the Unix socket: its buffers, its deadlines, and the peer's
// credentials from the kernel.
//
// Owned by one thread at a time (see ConnectionPool). Nothing here blocks except send_all().
// Requests are returned only when complete, so the answering thread never waits for input.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/api/http/chunked_body.h"
#include "daemon/api/http/head.h"
#include "daemon/api/http/request_limits.h"
#include "daemon/base/clock.h"
#include "daemon/base/unique_fd.h"

namespace taskd {

struct HttpRequest {
  const HttpHead& head;
  std::string_view body;
};

// A request that waits without a thread. A route that wants to wait stores one in the connection,
// and is called again for the same request once `fd()` is readable or the deadline has passed.
class HttpWait {
 public:
  explicit HttpWait(BootTime deadline) : deadline_(deadline) {}
  virtual ~HttpWait() = default;
  virtual int fd() const = 0;
  BootTime deadline() const { return deadline_; }

  bool is_watched = false;  // used by the pool: fd() is in its epoll

 private:
  const BootTime deadline_;
};

class HttpConnection {
 public:
  // Throws std::system_error if the kernel does not report the peer's credentials.
  HttpConnection(UniqueFd fd, const ServerLimits& limits, BootTime now);

  int fd() const { return fd_.get(); }
  const ucred& peer() const { return peer_; }

  // Reads what has arrived. Returns false if the connection broke.
  bool receive(BootTime now);
  // The next request once it is complete; valid until consume(). Throws ProblemError.
  std::optional<HttpRequest> next_request(BootTime now);
  void consume(BootTime now);
  // The client has closed its sending side.
  bool at_end() const { return at_end_; }
  // The memory that the body of the unanswered request takes, or will take.
  std::size_t request_bytes() const;

  // Set from when the current request is first answered with a wait until consume().
  void set_wait(std::unique_ptr<HttpWait> wait) { wait_ = std::move(wait); }
  HttpWait* wait() const { return wait_.get(); }
  // Whether the client has closed both directions, not only its sending side.
  bool is_broken() const;

  // Output is buffered until it is sent: without blocking (false: broken; see has_output()) …
  void queue(std::string_view bytes) { output_.append(bytes); }
  bool has_output() const { return sent_ < output_.size(); }
  std::size_t output_bytes() const { return output_.size() - sent_; }
  bool send_some(BootTime now);
  // … or until all is sent. Returns false if the client broke off, took nothing for `timeout_ms`,
  // or `cancel_fd` (-1: none) became readable first.
  bool send_all(std::int64_t timeout_ms, int cancel_fd);

  // Reads no request after the current one.
  void close_after_output() { closing_ = true; }
  bool closing() const { return closing_; }
  // After an unreadable request: discards input for a while, because closing at once would cut off
  // the answer for a client that is still sending. Returns false when that time is over.
  void start_lingering(BootTime now);
  bool lingering() const { return lingering_; }
  bool drain();

  // When the pool should close the connection, and whether that loses part of a request.
  BootTime deadline() const;
  bool in_request() const {
    return !lingering_ && !has_output() && (head_ || used_ < input_.size());
  }

 private:
  std::size_t wanted_bytes() const;
  std::optional<HttpRequest> next_chunked();
  void continue_if_expected();

  const UniqueFd fd_;
  const ServerLimits& limits_;
  ucred peer_{};

  std::string input_;     // at most one head, or the request whose head was read
  std::size_t used_ = 0;  // of input_
  std::optional<HttpHead> head_;
  std::optional<ChunkedBody> chunked_;  // the body of head_
  std::unique_ptr<HttpWait> wait_;
  bool at_end_ = false;
  bool said_continue_ = false;

  std::string output_;
  std::size_t sent_ = 0;  // of output_
  bool closing_ = false;
  bool lingering_ = false;

  // Start of the current phase: waiting for a request, its head, its body, sending, lingering.
  BootTime phase_since_;
};

}  // namespace taskd
