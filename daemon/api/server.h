// The HTTP server: cpp-httplib reads heads and writes answers, behind our own accept loop, which
// checks every limit before the library sees any byte.
//
// A small set of threads accepts connections, parks them in epoll and answers complete requests.
// Connections that are idle, slow or incomplete hold no thread, and neither do slow readers and
// requests that wait for a task. A handler that streams (logs?follow) is replaced by another thread
// meanwhile, up to max_streams. Each user has a limited share of everything (UserShares), so that
// users do not affect each other. The listening socket is never shut down, because systemd may own
// it.
#pragma once

#include <memory>

#include "daemon/api/http/request_limits.h"
#include "daemon/api/request/context.h"

namespace taskd {

class ApiServer {
 public:
  ApiServer(ApiContext context, ServerLimits limits = {});
  ~ApiServer();

  // Serves on the listening socket until stop(). Does not close `listen_fd`.
  void serve(int listen_fd);
  // From any thread or a signal handler. New connections stay in the backlog for the next daemon.
  // Waiting requests end with 503 shutting_down (TaskWatch must be closed, too). Requests being
  // answered are finished; then serve() returns.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskd
