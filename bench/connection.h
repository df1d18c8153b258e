// A kept-alive HTTP connection over a Unix socket with little overhead, since it shares the machine
// with the daemon that it measures. Not thread-safe. Errors throw.
#pragma once

#include <string>
#include <string_view>

#include "daemon/base/unique_fd.h"

namespace taskd::bench {

std::string http_request(std::string_view method, std::string_view target, std::string_view body);

class Connection {
 public:
  explicit Connection(const std::string& socket_path);

  int fd() const { return fd_.get(); }
  int peer_pid() const;

  void send(std::string_view request);
  // Reads once (blocking); returns true when the whole answer has arrived. Requires a pending
  // request. Throws unless its status is `expected_status`.
  bool receive(int expected_status);
  // The whole answer to one request.
  std::string ask(std::string_view method, std::string_view target, std::string_view body,
                  int expected_status);

 private:
  UniqueFd fd_;
  std::string answer_;
  std::size_t head_bytes_ =
      0;  // headers of the answer, once they have arrived; then its whole length is known
  std::size_t answer_bytes_ = 0;
};

}  // namespace taskd::bench
