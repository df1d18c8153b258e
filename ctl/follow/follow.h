// Follows the output of one attempt while it runs: both streams in one thread, across restarts of
// the daemon.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "ctl/base/context.h"
#include "ctl/net/client.h"
#include "daemon/task/task.h"

namespace taskd::ctl {

// Receives the bytes of a stream.
using ByteSink = std::function<void(std::string_view)>;

class AttemptFollower {
 public:
  struct Want {
    ByteSink sink;            // empty: skip this stream
    std::int64_t offset = 0;  // where to begin
  };

  // `attempt` may be the next one, which has not begun: then the follower waits for it.
  AttemptFollower(Context& context, const Client& client, TaskId task, int attempt, Want out,
                  Want err);

  // The attempt has ended, or the task ended without it; all output was passed on.
  bool done() const { return streams_[0].done && streams_[1].done; }
  // Waits at most `timeout_ms` for output, or for `other_fd` (-1 = none) to have one of the poll
  // events `other_events` or an error, and passes on what arrived. Returns true if `other_fd` has.
  bool step(int timeout_ms, int other_fd, short other_events);

 private:
  struct Stream {
    std::string_view name;
    ByteSink sink;
    std::int64_t offset = 0;
    bool done = false;
    std::optional<Exchange> exchange;
    BootTime retry_at;
    int retry_ms = 0;
    bool numbered = true;  // ask for the attempt by number
  };

  void open(Stream& stream);
  void read(Stream& stream);
  void on_answer_end(Stream& stream);
  void retry_later(Stream& stream);
  void on_no_attempt(Stream& stream);

  Context& context_;
  const Client& client_;
  const TaskId task_;
  const int attempt_;
  std::array<Stream, 2> streams_;
  ReconnectBackoff backoff_;
};

// The current end of a stream.
struct OutputTail {
  std::string bytes;
  std::int64_t next_offset = 0;
  std::int64_t dropped_bytes = 0;  // of the whole stream
};
inline constexpr std::int64_t kMaxAnswerOutput = 8 << 20;  // the API's limit per answer
OutputTail fetch_tail(const Client& client, const std::string& logs_target, std::int64_t bytes);
// The last `lines` lines, as far as they are within the last 8 MiB.
OutputTail fetch_last_lines(const Client& client, const std::string& logs_target,
                            std::int64_t lines);
// The output from `offset` on, as much as one answer holds.
OutputTail fetch_piece(const Client& client, const std::string& logs_target, std::int64_t offset);
// Passes everything from `offset` to the current end to the sink; the result has no bytes.
OutputTail fetch_output(const Client& client, const std::string& logs_target, std::int64_t offset,
                        const ByteSink& sink);

// "/v1/tasks/12/logs?stream=stdout", with "&attempt=N" unless it is 0 (the latest).
std::string logs_target(TaskId task, std::string_view stream, int attempt);

}  // namespace taskd::ctl
