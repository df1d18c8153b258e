#include <algorithm>
#include <limits>
#include <memory>

#include "daemon/api/http/problem.h"
#include "daemon/api/http/waiting.h"
#include "daemon/api/request/names.h"
#include "daemon/api/routes/routes.h"
#include "daemon/process/output.h"

namespace taskd {
namespace {

constexpr std::int64_t kMaxBytes = 8 << 20;      // per answer without follow
constexpr std::size_t kChunkBytes = 256 * 1024;  // of a stream

struct LogQuery {
  Stream stream = Stream::out;
  std::optional<int> attempt;
  std::int64_t offset = 0;
  std::optional<std::int64_t> tail;
  bool follow = false;
  bool order = false;  // not a stream, but the order in which both were written
};

LogQuery take_log_query(HttpQuery& query) {
  constexpr std::int64_t kMax = std::int64_t{1} << 53;  // beyond any file, within JSON
  LogQuery log;
  const auto stream = query.take("stream").value_or("stdout");
  if (stream != "stdout" && stream != "stderr" && stream != "order")
    bad_query("stream", "must be stdout, stderr or order");
  if (stream == "stderr") log.stream = Stream::err;
  log.order = stream == "order";
  const auto attempt = query.take_int("attempt", 1, std::numeric_limits<int>::max(), 0);
  if (attempt > 0) log.attempt = static_cast<int>(attempt);
  const auto offset = query.take_int("offset", 0, kMax, -1);
  const auto tail = query.take_int("tail", 0, kMax, -1);
  if (offset >= 0 && tail >= 0) bad_query("tail", "and offset exclude each other");
  log.offset = std::max<std::int64_t>(offset, 0);
  if (tail >= 0) log.tail = tail;
  log.follow = query.take_bool("follow");
  if (log.order && (log.follow || offset >= 0 || tail >= 0))
    bad_query("stream", "order goes with neither offset nor tail nor follow");
  query.finish();
  return log;
}

std::int64_t start_offset(const LogQuery& log, const std::string& dir) {
  if (!log.tail) return log.offset;
  return std::max<std::int64_t>(output_size(dir, log.stream) - *log.tail, 0);
}

[[noreturn]] void no_such_attempt(const Task& task, int number) {
  const std::string detail =
      task.attempt == 0
          ? "task " + std::to_string(task.id) + " has had no attempt"
          : "task " + std::to_string(task.id) + " has no attempt " + std::to_string(number);
  throw ProblemError(404, "no_such_attempt", detail);
}

// Streams one attempt's output until the attempt has ended and everything is sent.
class Follower {
 public:
  Follower(const ApiContext& context, const Call& call, const LogQuery& log, TaskId task,
           int number)
      : context_(context),
        actor_(call.actor),
        connection_(call.connection),
        log_(log),
        task_(task),
        number_(number),
        ticket_(context.watch.watch(task)),
        slot_(call.pool, call.actor, call.turn) {}

  bool run(const StreamWriter& write) {
    bool ended = false;
    bool look = true;
    for (;;) {
      if (look) {
        ticket_->clear();
        ended = look_at_task();
      }
      if (number_ > 0) {
        open();
        output_->clear();
        if (!send_output(write)) return false;
      }
      if (ended) return true;
      if (context_.watch.closed()) return false;
      const Wakeup wakeup =
          wait_for_any(connection_, ticket_->fd(), output_ ? output_->fd() : -1, std::nullopt);
      if (wakeup.client_gone) return false;
      look = wakeup.first;
    }
  }

 private:
  // Finds out the number of an attempt that began meanwhile. Returns true if the attempt has ended,
  // or none will begin.
  bool look_at_task() {
    const auto task = context_.store.get(actor_, task_);
    if (!task) return true;
    if (number_ == 0) number_ = task->attempt;
    if (is_end(task->state) || task->attempt > number_) return true;
    if (number_ == 0 || task->state == State::running) return false;
    // Between two attempts. An attempt that never began leaves no end, and its number is used
    // again.
    const auto attempt = context_.store.attempts(task_, number_ - 1, 1);
    return !attempt.empty() && attempt[0].number == number_ && attempt[0].ended_at.has_value();
  }

  void open() {
    if (output_) return;
    dir_ = attempt_dir(context_.attempts_dir, task_, number_);
    output_.emplace(context_.attempts_dir, dir_);
    offset_ = start_offset(log_, dir_);
  }

  bool send_output(const StreamWriter& write) {
    for (;;) {
      const OutputChunk chunk = read_output(dir_, log_.stream, offset_, kChunkBytes);
      if (!chunk.bytes.empty() && !write(chunk.bytes)) return false;
      offset_ = chunk.next_offset;
      if (chunk.at_end) return true;
      if (context_.watch.closed()) return false;
    }
  }

  const ApiContext& context_;
  const Actor actor_;
  const HttpConnection& connection_;
  const LogQuery log_;
  const TaskId task_;
  int number_;  // 0: the first attempt, which has not begun
  const std::unique_ptr<TaskWatch::Ticket> ticket_;
  const ConnectionPool::StreamSlot slot_;
  std::string dir_;
  std::optional<OutputWatch> output_;
  std::int64_t offset_ = 0;
};

Reply output_now(const ApiContext& context, const LogQuery& log, TaskId task, int number) {
  const std::string dir = attempt_dir(context.attempts_dir, task, number);
  const std::int64_t max_bytes = std::min(log.tail.value_or(kMaxBytes), kMaxBytes);
  OutputChunk chunk =
      read_output(dir, log.stream, start_offset(log, dir), static_cast<std::size_t>(max_bytes));
  Reply reply;
  reply.content_type = "application/octet-stream";
  reply.body = std::move(chunk.bytes);
  reply.headers.emplace_back("Taskd-Next-Offset", std::to_string(chunk.next_offset));
  const std::int64_t dropped = output_dropped(dir, log.stream);
  if (dropped > 0) reply.headers.emplace_back("Taskd-Dropped-Bytes", std::to_string(dropped));
  return reply;
}

// "stdout 0", "stderr 0", "stdout 17": one line for each change of streams.
Reply order_now(const ApiContext& context, TaskId task, int number) {
  Reply reply;
  reply.content_type = "text/plain";
  for (const OrderRecord& record : read_order(attempt_dir(context.attempts_dir, task, number))) {
    reply.body.append(record.stream == Stream::out ? "stdout " : "stderr ")
        .append(std::to_string(record.offset))
        .push_back('\n');
  }
  return reply;
}

}  // namespace

Reply show_logs(const ApiContext& context, const Call& call) {
  const LogQuery log = take_log_query(call.query);
  const Task task = task_of(context, call);
  const int number = log.attempt.value_or(task.attempt);
  const bool awaits_first = log.follow && !log.attempt && number == 0 && !is_end(task.state);
  if (!awaits_first && (number == 0 || number > task.attempt)) no_such_attempt(task, number);
  if (log.order) return order_now(context, task.id, number);
  if (!log.follow) return output_now(context, log, task.id, number);

  Reply reply;
  reply.content_type = "application/octet-stream";
  if (call.method == "HEAD") return reply;
  const auto follower = std::make_shared<Follower>(context, call, log, task.id, number);
  reply.stream = [follower](const StreamWriter& write) { return follower->run(write); };
  return reply;
}

}  // namespace taskd
