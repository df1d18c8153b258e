#include "ctl/waiter.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <nlohmann/json.hpp>

#include "ctl/outcome.h"
#include "ctl/selector.h"
#include "ctl/when.h"
#include "daemon/base/errors.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kWindow = 16;          // requests that wait at the same time
constexpr std::int64_t kRequestMs = 60'000;  // for each
constexpr std::int64_t kLateMs = 60'000;     // an answer later than that does not come
constexpr int kTickMs = 1000;                // of the progress line
constexpr int kBusyPauseMs = 200;

// "3 of 10 done, 1 failed, 12s", redrawn in place; nothing when stderr is not a terminal.
class ProgressLine {
 public:
  ProgressLine(const Context& context, bool wanted) : context_(context) {
    const char* const term = context.env.get("TERM");
    shown_ =
        wanted && ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::strcmp(term, "dumb") != 0;
    begin_ = context.clock.boot_now();
  }
  ~ProgressLine() { clear(); }
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  // `told`: what the one task says of its progress.
  void draw(std::size_t done, std::size_t total, std::size_t failed, const std::string& told) {
    if (!shown_) return;
    std::string line = "\r\x1b[K" + std::to_string(done) + " of " + std::to_string(total) + " done";
    if (!told.empty()) line = "\r\x1b[K" + told;
    if (failed > 0) line += ", " + std::to_string(failed) + " failed";
    const std::int64_t seconds = (context_.clock.boot_now() - begin_) / 1000;
    line += ", " + (seconds < 60 ? std::to_string(seconds) + "s" : format_span(seconds * 1000));
    write_all(STDERR_FILENO, line);
    drawn_ = true;
  }
  void clear() {
    if (drawn_) write_all(STDERR_FILENO, "\r\x1b[K");
    drawn_ = false;
  }
  bool shown() const { return shown_; }

 private:
  const Context& context_;
  BootTime begin_;
  bool shown_ = false;
  bool drawn_ = false;
};

class Waiter {
 public:
  Waiter(Context& context, const Client& client, const std::vector<TaskId>& ids,
         const WaitOptions& options)
      : context_(context),
        client_(client),
        ids_(ids),
        tasks_(ids.size()),
        progress_(context, options.progress),
        patience_(context) {
    if (options.timeout_ms) deadline_ = context.clock.boot_now() + *options.timeout_ms;
  }

  std::vector<nlohmann::json> run() {
    look_at_all();
    while (done_ < ids_.size()) {
      try {
        fill_window();
        wait_for_one();
      } catch (const DaemonAway& away) {
        drop_window();
        progress_.clear();
        patience_.after(away);
      }
      check_deadline();
    }
    return std::move(tasks_);
  }

 private:
  struct Slot {
    std::size_t index;
    Exchange exchange;
    BootTime begun;
  };

  // Every id exists, or nothing is waited for; and what has ended already is counted.
  void look_at_all() {
    for (std::size_t i = 0; i < ids_.size(); ++i) {
      if (!take(i, client_.get("/v1/tasks/" + std::to_string(ids_[i])))) open_.push_back(i);
    }
  }

  // True when the task has ended.
  bool take(std::size_t index, nlohmann::json answer) {
    const Task task = read_task(answer);
    if (ids_.size() == 1) told_ = task.state == State::running ? describe_progress(task) : "";
    if (!is_end(task.state)) return false;
    tasks_[index] = std::move(answer);
    ++done_;
    if (task.state != State::succeeded) ++failed_;
    return true;
  }

  void fill_window() {
    while (slots_.size() < kWindow && !open_.empty()) {
      const BootTime now = context_.clock.boot_now();
      std::int64_t wait_ms = kRequestMs;
      // Each answer of a task that has not ended tells its progress.
      if (progress_.shown() && ids_.size() == 1) wait_ms = kTickMs;
      if (deadline_) wait_ms = std::clamp<std::int64_t>(*deadline_ - now, 0, wait_ms);
      HttpRequest request;
      request.target = "/v1/tasks/" + std::to_string(ids_[open_.front()]) +
                       "/wait?timeout_ms=" + std::to_string(wait_ms);
      try {
        slots_.push_back({open_.front(), client_.begin(request), now});
      } catch (const std::system_error& e) {
        if (slots_.empty() || !is_shortage(e.code().value())) throw;
        return;  // fewer at a time
      }
      open_.pop_front();
    }
  }

  void drop_window() {
    for (const Slot& slot : slots_) open_.push_back(slot.index);
    std::sort(open_.begin(), open_.end());
    slots_.clear();
  }

  void wait_for_one() {
    progress_.draw(done_, ids_.size(), failed_, told_);
    std::vector<pollfd> fds;
    for (const Slot& slot : slots_) fds.push_back({slot.exchange.fd(), POLLIN, 0});
    if (::poll(fds.data(), fds.size(), poll_ms()) < 0 && errno != EINTR) throw_errno("poll");
    for (std::size_t i = slots_.size(); i-- > 0;) {
      if (fds[i].revents != 0 && client_.step(slots_[i].exchange)) finish_slot(i);
    }
    const BootTime now = context_.clock.boot_now();
    for (const Slot& slot : slots_) {
      if (now - slot.begun > kRequestMs + kLateMs)
        throw Failure(kExitTryLater, "the daemon does not answer");
    }
  }

  void finish_slot(std::size_t i) {
    const std::size_t index = slots_[i].index;
    const Exchange exchange = std::move(slots_[i].exchange);
    slots_.erase(slots_.begin() + static_cast<std::ptrdiff_t>(i));
    try {
      if (!take(index, client_.result_of(exchange))) open_.push_front(index);
      patience_.reset();
    } catch (const DaemonAway&) {
      open_.push_front(index);
      throw;
    } catch (const Refused& refused) {
      if (refused.problem.code != "too_many_requests") throw;
      open_.push_front(index);
      pause_ms(kBusyPauseMs);
    }
  }

  int poll_ms() const {
    std::int64_t ms = progress_.shown() ? kTickMs : kRequestMs;
    if (deadline_) ms = std::clamp<std::int64_t>(*deadline_ - context_.clock.boot_now(), 0, ms);
    return static_cast<int>(ms);
  }

  void check_deadline() const {
    if (!deadline_ || done_ == ids_.size() || context_.clock.boot_now() < *deadline_) return;
    throw Failure(kExitTryLater, "timed out; " + std::to_string(done_) + " of " +
                                     std::to_string(ids_.size()) + " have ended");
  }

  Context& context_;
  const Client& client_;
  const std::vector<TaskId>& ids_;
  std::vector<nlohmann::json> tasks_;
  std::size_t done_ = 0;
  std::size_t failed_ = 0;
  std::string told_;              // by the one task that is waited for
  std::deque<std::size_t> open_;  // to be waited for, by index
  std::vector<Slot> slots_;
  std::optional<BootTime> deadline_;
  ProgressLine progress_;
  Patience patience_;
};

}  // namespace

std::vector<nlohmann::json> wait_for_tasks(Context& context, const Client& client,
                                           const std::vector<TaskId>& ids,
                                           const WaitOptions& options) {
  return Waiter(context, client, ids, options).run();
}

int exit_code_of_all(const std::vector<nlohmann::json>& answers) {
  if (answers.size() == 1) return exit_code_of(read_task(answers[0]));
  for (const nlohmann::json& answer : answers) {
    if (read_task(answer).state != State::succeeded) return kExitSomeFailed;
  }
  return kExitOk;
}

void say_failures(Context& context, const std::vector<nlohmann::json>& answers) {
  constexpr std::size_t kMaxShown = 10;
  std::size_t shown = 0;
  std::size_t more = 0;
  for (const nlohmann::json& answer : answers) {
    const Task task = read_task(answer);
    if (task.state == State::succeeded) continue;
    if (shown++ >= kMaxShown) {
      ++more;
      continue;
    }
    const std::string reason = describe_reason(task);
    context.say("task " + std::to_string(task.id) + " " + std::string(to_string(task.state)) +
                (reason.empty() ? "" : ": " + reason));
  }
  if (more > 0) context.say("… and " + std::to_string(more) + " more did not succeed");
}

}  // namespace taskd::ctl
