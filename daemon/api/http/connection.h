// One client's end of the Unix socket: its buffers, its deadlines, and who the kernel says it is.
//
// Owned by one thread at a time (see ConnectionPool); nothing here blocks but send_all(). Requests
// are handed out whole, so whoever answers never waits for input.
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

// A request that waits without a thread. Whoever answers it leaves one of these in its connection,
// and is asked again for the same request once `fd()` is readable or the deadline has come.
class HttpWait {
 public:
  explicit HttpWait(BootTime deadline) : deadline_(deadline) {}
  virtual ~HttpWait() = default;
  virtual int fd() const = 0;
  BootTime deadline() const { return deadline_; }

  bool is_watched = false;  // the pool's: fd() is in its epoll

 private:
  const BootTime deadline_;
};

class HttpConnection {
 public:
  // Throws std::system_error when the kernel does not tell the peer.
  HttpConnection(UniqueFd fd, const ServerLimits& limits, BootTime now);

  int fd() const { return fd_.get(); }
  const ucred& peer() const { return peer_; }

  // Takes in what has arrived. False when the connection broke.
  bool receive(BootTime now);
  // The next request once all of it has arrived; valid until consume(). Throws ProblemError.
  std::optional<HttpRequest> next_request(BootTime now);
  void consume(BootTime now);
  // The client sends nothing more.
  bool at_end() const { return at_end_; }
  // What the body of a request that is not answered yet takes in memory, or will.
  std::size_t request_bytes() const;

  // Set from the first time the present request is asked for until consume().
  void set_wait(std::unique_ptr<HttpWait> wait) { wait_ = std::move(wait); }
  HttpWait* wait() const { return wait_.get(); }
  // The client is gone altogether: it has not only closed its half.
  bool is_broken() const;

  // Output waits in memory until it is sent: without blocking (false: broken; see has_output()) …
  void queue(std::string_view bytes) { output_.append(bytes); }
  bool has_output() const { return sent_ < output_.size(); }
  std::size_t output_bytes() const { return output_.size() - sent_; }
  bool send_some(BootTime now);
  // … or until all is sent. False when the client broke off or took nothing for `timeout_ms`, or
  // when `cancel_fd` (-1: none) is readable before.
  bool send_all(std::int64_t timeout_ms, int cancel_fd);

  // No request is read after the present one.
  void close_after_output() { closing_ = true; }
  bool closing() const { return closing_; }
  // After a request that could not be read: input is thrown away for a while, since closing at once
  // would break the answer off for a client that is still sending. False when that is over.
  void start_lingering(BootTime now);
  bool lingering() const { return lingering_; }
  bool drain();

  // When the pool gives the connection up, and whether a part of a request would be lost with it.
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

  std::string input_;     // at most a head, or the request whose head was read
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

  BootTime phase_since_;  // of waiting for a request, its head, its body; of output, of lingering
};

}  // namespace taskd
