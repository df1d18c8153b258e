#include "ctl/follow/follow.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "ctl/options/selector.h"
#include "daemon/base/errors.h"
#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr int kFirstRetryMs = 20;
constexpr int kMaxRetryMs = 500;

std::int64_t read_next_offset(const Exchange& exchange) {
  const std::string* const header = exchange.answer().header("taskd-next-offset");
  const auto offset = header != nullptr ? parse_int(*header) : std::nullopt;
  if (!offset || *offset < 0)
    throw Failure(kExitBadAnswer, "the daemon's answer lacks a Taskd-Next-Offset");
  return *offset;
}

// Without the header no bytes were dropped.
std::int64_t read_dropped(const Exchange& exchange) {
  const std::string* const header = exchange.answer().header("taskd-dropped-bytes");
  return header != nullptr ? parse_int(*header).value_or(0) : 0;
}

OutputTail fetch(const Client& client, const std::string& target) {
  HttpRequest request;
  request.target = target;
  OutputTail output;
  const Exchange exchange =
      client.ask(request, [&](std::string_view bytes) { output.bytes.append(bytes); });
  output.next_offset = read_next_offset(exchange);
  output.dropped_bytes = read_dropped(exchange);
  return output;
}

}  // namespace

std::string logs_target(TaskId task, std::string_view stream, int attempt) {
  std::string target = "/v1/tasks/" + std::to_string(task) + "/logs?stream=" + std::string(stream);
  if (attempt != 0) target += "&attempt=" + std::to_string(attempt);
  return target;
}

AttemptFollower::AttemptFollower(Context& context, const Client& client, TaskId task, int attempt,
                                 Want out, Want err)
    : context_(context), client_(client), task_(task), attempt_(attempt), backoff_(context) {
  streams_[0].name = "stdout";
  streams_[0].sink = std::move(out.sink);
  streams_[0].offset = out.offset;
  streams_[1].name = "stderr";
  streams_[1].sink = std::move(err.sink);
  streams_[1].offset = err.offset;
  for (Stream& stream : streams_) stream.done = !stream.sink;
}

bool AttemptFollower::step(int timeout_ms, int other_fd, short other_events) {
  const BootTime now = context_.clock.boot_now();
  std::int64_t wait_ms = timeout_ms;
  std::array<pollfd, 3> fds{};
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    Stream& stream = streams_[i];
    if (!stream.done && !stream.exchange && now >= stream.retry_at) open(stream);
    if (!stream.done && !stream.exchange)
      wait_ms = std::min(wait_ms, std::max<std::int64_t>(stream.retry_at - now, 0));
    fds[i] = {stream.exchange ? stream.exchange->fd() : -1, POLLIN, 0};
  }
  fds[2] = {other_fd, other_events, 0};
  if (done()) return false;
  if (::poll(fds.data(), fds.size(), static_cast<int>(wait_ms)) < 0) {
    if (errno != EINTR) throw_errno("poll");
    return false;
  }
  for (std::size_t i = 0; i < streams_.size(); ++i) {
    if (fds[i].revents != 0) read(streams_[i]);
  }
  return fds[2].revents != 0;
}

void AttemptFollower::open(Stream& stream) {
  HttpRequest request;
  const bool numbered = stream.numbered || stream.offset > 0;
  request.target = logs_target(task_, stream.name, numbered ? attempt_ : 0) +
                   "&follow=true&offset=" + std::to_string(stream.offset);
  try {
    stream.exchange.emplace(client_.begin(request, [&stream](std::string_view bytes) {
      // If the cap dropped bytes, the count is below the true offset. After a restart of the daemon
      // some output is then repeated, but none is missed.
      stream.offset += static_cast<std::int64_t>(bytes.size());
      stream.retry_ms = 0;
      stream.sink(bytes);
    }));
  } catch (const DaemonAway& away) {
    backoff_.after(away);
    retry_later(stream);
  }
}

void AttemptFollower::read(Stream& stream) {
  try {
    if (client_.step(*stream.exchange)) on_answer_end(stream);
  } catch (const DaemonAway& away) {
    stream.exchange.reset();
    stream.numbered = true;
    backoff_.after(away);
    retry_later(stream);
  }
}

// A complete answer ends with the attempt; a daemon that stops cuts it off instead.
void AttemptFollower::on_answer_end(Stream& stream) {
  const Exchange exchange = std::move(*stream.exchange);
  stream.exchange.reset();
  backoff_.reset();
  try {
    client_.check_status(exchange);
    stream.done = true;
  } catch (const Refused& refused) {
    if (refused.problem.code == "no_such_attempt")
      on_no_attempt(stream);
    else if (refused.problem.code == "too_many_requests")
      retry_later(stream);
    else
      throw;
  }
}

// The attempt has not begun. The daemon waits for the first attempt itself if no number is given;
// for later ones, asks repeatedly.
void AttemptFollower::on_no_attempt(Stream& stream) {
  const Task task = get_task(client_, task_);
  const bool begun = task.attempt >= attempt_;  // it began after the daemon was asked
  stream.done = is_end(task.state) && !begun;
  stream.numbered = attempt_ != 1 || task.attempt != 0;
  if (stream.numbered && !begun) retry_later(stream);
}

void AttemptFollower::retry_later(Stream& stream) {
  stream.retry_ms = std::clamp(stream.retry_ms * 2, kFirstRetryMs, kMaxRetryMs);
  stream.retry_at = context_.clock.boot_now() + stream.retry_ms;
}

OutputTail fetch_tail(const Client& client, const std::string& target, std::int64_t bytes) {
  return fetch(client, target + "&tail=" + std::to_string(std::min(bytes, kMaxAnswerOutput)));
}

OutputTail fetch_last_lines(const Client& client, const std::string& target, std::int64_t lines) {
  for (std::int64_t bytes = 64 * 1024;; bytes *= 4) {
    OutputTail tail = fetch_tail(client, target, bytes);
    const bool all = static_cast<std::int64_t>(tail.bytes.size()) < bytes;
    // A newline at the very end closes the last line; it does not begin another.
    std::size_t begin = tail.bytes.size();
    std::int64_t found = 0;
    while (begin > 0 && found < lines) {
      const std::size_t newline =
          begin == 1 ? std::string::npos : tail.bytes.rfind('\n', begin - 2);
      begin = newline == std::string::npos ? 0 : newline + 1;
      if (begin > 0) ++found;
    }
    if (begin > 0 || all || lines == 0 || bytes >= kMaxAnswerOutput) {
      tail.bytes.erase(0, begin);
      return tail;
    }
  }
}

OutputTail fetch_piece(const Client& client, const std::string& target, std::int64_t offset) {
  return fetch(client, target + "&offset=" + std::to_string(offset));
}

OutputTail fetch_output(const Client& client, const std::string& target, std::int64_t offset,
                        const ByteSink& sink) {
  while (true) {
    HttpRequest request;
    request.target = target + "&offset=" + std::to_string(offset);
    std::size_t received = 0;
    const Exchange exchange = client.ask(request, [&](std::string_view bytes) {
      received += bytes.size();
      sink(bytes);
    });
    const std::int64_t next = read_next_offset(exchange);
    if (received == 0 || next <= offset) return {{}, next, read_dropped(exchange)};
    offset = next;
  }
}

}  // namespace taskd::ctl
