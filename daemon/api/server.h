// The HTTP server: cpp-httplib reads heads and writes answers, behind our own accept loop and with
// every limit checked before the library sees a byte.
//
// A small set of threads accepts connections, parks them in epoll and answers whole requests, so
// idle, slow and half-sent connections hold no thread, nor do readers that take nothing and
// requests that wait for a task. A handler that streams (logs?follow) gets a replacement thread
// meanwhile, up to max_streams. One user has a share of everything (UserShares), so that others do
// not notice him. The listening socket is never shut down: systemd may own it.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "daemon/base/clock.h"
#include "daemon/base/trusted_clock.h"
#include "daemon/base/unique_fd.h"
#include "daemon/engine/progress_board.h"
#include "daemon/engine/running_set.h"
#include "daemon/engine/task_watch.h"
#include "daemon/process/launcher.h"
#include "daemon/process/user.h"
#include "daemon/store/task_store.h"
#include "daemon/task/handler.h"

namespace taskd {

class Notifier;

struct WorkerCounts {
  int total = 0;
  int busy = 0;
};

// What the routes work on; all of it outlives the server. `attempts_dir` exists.
struct ApiContext {
  TaskStore& store;
  TaskWatch& watch;
  Launcher& launcher;       // to remove the files of deleted tasks
  ProgressBoard& progress;  // where jobs report
  RunningSet& running;      // the way of signals
  const Clock& clock;
  std::string attempts_dir;
  std::string version;
  WallTime started_at;
  std::function<WorkerCounts()> workers;
  Notifier* notifier = nullptr;        // null: no hooks are declared
  Machine machine = {};                // what tasks may ask for
  const Handlers* handlers = nullptr;  // null: none are declared
  std::shared_ptr<UserNames> user_names = std::make_shared<UserNames>(clock);
  const TrustedClock* age_clock = nullptr;  // null: the wall clock is believed
};

struct ServerLimits {
  int threads = 32;  // requests answered at once; a thread is started when one is needed
  std::size_t max_connections = 4096;  // beyond it one of who has the most makes way
  int max_waits = 2048;                // requests that wait for a task; they hold no thread
  int max_streams = 256;               // followed outputs; each holds a thread
  std::size_t max_head_bytes = 16 * 1024;
  std::size_t max_line_bytes = 8 * 1024;  // the library takes no more
  int max_headers = 64;
  std::size_t max_body_bytes = 4 << 20;
  std::size_t max_chunk_line_bytes = 256;    // the size of a chunk with its extension, a trailer
  std::size_t max_request_bytes = 64 << 20;  // of all requests that have not wholly arrived
  std::size_t max_output_bytes = 64 << 20;   // of all answers that wait for slow readers
  std::size_t max_work_bytes = 512 << 20;    // of all parsed requests together
  std::int64_t head_time_ms = 10'000;        // from the first byte to the end of the head
  std::int64_t body_time_ms = 30'000;
  std::int64_t idle_time_ms = 60'000;   // kept-alive and silent
  std::int64_t write_time_ms = 30'000;  // a reader that takes nothing
  std::int64_t turn_time_ms = 30'000;   // a request that waits until others of its user are done
};

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

// Throws UsageError (78) for a path that no Unix socket can have.
void check_socket_path(const std::string& path);

// A listening Unix socket at `path` with `mode`. A stale socket file (nobody listens) is replaced;
// call only under the instance lock. Throws UsageError: path over 107 bytes (78), something else
// than a socket in the way (73), a folder that is missing or may not be written (73).
UniqueFd listen_unix(const std::string& path, unsigned mode);

}  // namespace taskd
