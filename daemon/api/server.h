// The HTTP server: cpp-httplib reads heads and writes answers, behind our own accept loop and with
// every limit checked before the library sees a byte.
//
// A small set of threads accepts connections, parks them in epoll and answers whole requests, so
// idle, slow and half-sent connections hold no thread, nor do readers that take nothing and
// requests that wait for a task. A handler that streams (logs?follow) gets a replacement thread
// meanwhile, up to max_streams. One user has a share of everything (UserShares), so that others do
// not notice him. The listening socket is never shut down: systemd may own it.
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
  // From any thread or a signal handler. New connections are left in the backlog for the next
  // daemon; waiting requests end with 503 shutting_down (TaskWatch must be closed too); requests
  // that are being answered are finished; then serve() returns.
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace taskd
