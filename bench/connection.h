// A kept-alive HTTP connection over a Unix socket that costs next to nothing, since it shares the
// machine with the daemon it measures. Not thread-safe. Errors throw.
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
  // Reads once (blocking); true when the whole answer is there. Requires a request under way.
  // Throws when its status is another than `expected_status`.
  bool receive(int expected_status);
  // The whole answer to one request.
  std::string ask(std::string_view method, std::string_view target, std::string_view body,
                  int expected_status);

 private:
  UniqueFd fd_;
  std::string answer_;
  std::size_t head_bytes_ =
      0;  // of the answer, once they are there; then its whole length is known
  std::size_t answer_bytes_ = 0;
};

}  // namespace taskd::bench
