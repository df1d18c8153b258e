#include "ctl/follow/waiter.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>
#include <nlohmann/json.hpp>

#include "ctl/options/selector.h"
#include "ctl/options/when.h"
#include "ctl/view/outcome.h"
#include "ctl/view/progress_bar.h"
#include "daemon/base/errors.h"
#include "daemon/task/task_name.h"

namespace taskd::ctl {
namespace {

constexpr std::int64_t kRequestMs = 60'000;  // the longest that one request waits
constexpr std::int64_t kLateMs = 60'000;     // after this much longer, no answer will come
constexpr std::int64_t kGraceMs = 200;       // allowed for the answer that reports the ends
constexpr int kTickMs = 1000;                // between updates of the progress line
constexpr int kBusyPauseMs = 200;

// What one request waits for, and its latest answer.
struct Target {
  nlohmann::json body;
  std::size_t count = 0;
  std::size_t ended = 0;
  std::size_t succeeded = 0;
  bool is_done() const { return count > 0 && ended == count; }
};

class Waiter {
 public:
  // `one`: the task, if there is only one, whose progress is shown; 0: there are several.
  Waiter(Context& context, const Client& client, std::vector<Target> targets, TaskId one,
         const WaitOptions& options)
      : context_(context),
        client_(client),
        targets_(std::move(targets)),
        one_(one),
        progress_(context, options.progress),
        begin_(context.clock.boot_now()),
        backoff_(context) {
    if (options.timeout_ms) deadline_ = context.clock.boot_now() + *options.timeout_ms;
  }

  WaitResult run() {
    while (!look()) {
      draw();
      if (is_over()) fail_for_time();
    }
    return sum();
  }

 private:
  // Asks about each target, and waits a while for the first open one. Returns true if all have
  // ended.
  bool look() {
    bool waits = false;
    for (Target& target : targets_) {
      if (target.is_done()) continue;
      try {
        // For the others, asks for the counts now and then.
        ask(target, waits ? 0 : wait_ms());
        backoff_.reset();
      } catch (const DaemonAway& away) {
        progress_.clear();
        if (is_over()) fail_for_time();
        backoff_.after(away);
      } catch (const Refused& refused) {
        if (refused.problem.code != "too_many_requests") throw;
        pause_ms(kBusyPauseMs);
      }
      waits |= !target.is_done();
    }
    return !waits;
  }

  std::int64_t wait_ms() const {
    if (!asked_all_) return 0;  // first counts what has ended already
    std::int64_t ms = progress_.enabled() || targets_.size() > 1 ? kTickMs : kRequestMs;
    if (deadline_) ms = std::clamp<std::int64_t>(*deadline_ - context_.clock.boot_now(), 0, ms);
    return ms;
  }

  void ask(Target& target, std::int64_t ms) {
    if (&target == &targets_.back()) asked_all_ = true;
    if (one_ == 0) {
      target.body["timeout_ms"] = ms;
      const nlohmann::json answer = request("POST", "/v1/tasks:wait", target.body.dump(), ms);
      try {
        const auto count = answer.at("count").get<std::size_t>();
        if (count < target.count)
          throw Failure(kExitNoSuchTask, std::to_string(target.count - count) +
                                             " of these tasks were removed meanwhile");
        target.count = count;
        target.ended = answer.at("ended").get<std::size_t>();
        target.succeeded = answer.at("succeeded").get<std::size_t>();
      } catch (const nlohmann::json::exception&) {
        throw Failure(kExitBadAnswer, "this taskctl cannot read the daemon's answer");
      }
      return;
    }
    const Task task = read_task(request(
        "GET", "/v1/tasks/" + std::to_string(one_) + "/wait?timeout_ms=" + std::to_string(ms), "",
        ms));
    told_ = task.state == State::running ? describe_progress(task) : "";
    target.count = 1;
    target.ended = is_end(task.state) ? 1 : 0;
    target.succeeded = task.state == State::succeeded ? 1 : 0;
  }

  // The timeout applies even if the daemon does not answer.
  nlohmann::json request(const std::string& method, const std::string& path,
                         const std::string& body, std::int64_t ms) const {
    Exchange exchange =
        client_.begin({.method = method, .target = path, .headers = {}, .body = body});
    BootTime late = context_.clock.boot_now() + ms + kLateMs;
    if (deadline_ && *deadline_ + kGraceMs < late) late = *deadline_ + kGraceMs;
    for (;;) {
      const std::int64_t left_ms = late - context_.clock.boot_now();
      pollfd fd{exchange.fd(), POLLIN, 0};
      if (::poll(&fd, 1, static_cast<int>(std::max<std::int64_t>(left_ms, 0))) < 0 &&
          errno != EINTR)
        throw_errno("poll");
      if (fd.revents != 0 && client_.step(exchange)) return client_.result_of(exchange);
      if (left_ms > 0) continue;
      if (is_over()) fail_for_time();
      throw Failure(kExitTryLater, "the daemon does not answer");
    }
  }

  WaitResult sum(std::size_t* ended = nullptr) const {
    WaitResult all;
    for (const Target& target : targets_) {
      all.count += target.count;
      all.succeeded += target.succeeded;
      if (ended != nullptr) *ended += target.ended;
    }
    return all;
  }

  // "3 of 10 done, 1 failed, 12s", or the single task's progress.
  void draw() {
    std::size_t ended = 0;
    const WaitResult all = sum(&ended);
    std::string text = told_;
    if (text.empty()) text = std::to_string(ended) + " of " + std::to_string(all.count) + " done";
    if (ended > all.succeeded) text += ", " + std::to_string(ended - all.succeeded) + " failed";
    const std::int64_t seconds = (context_.clock.boot_now() - begin_) / 1000;
    text += ", " + (seconds < 60 ? std::to_string(seconds) + "s" : format_span(seconds * 1000));
    progress_.show({}, text, /*now=*/true);
  }

  bool is_over() const { return deadline_ && context_.clock.boot_now() >= *deadline_; }
  [[noreturn]] void fail_for_time() const {
    std::size_t ended = 0;
    const WaitResult all = sum(&ended);
    throw Failure(kExitTryLater, "timed out; " + std::to_string(ended) + " of " +
                                     std::to_string(all.count) + " have ended");
  }

  Context& context_;
  const Client& client_;
  std::vector<Target> targets_;
  const TaskId one_;
  bool asked_all_ = false;
  std::string told_;  // the single task's progress
  std::optional<BootTime> deadline_;
  ProgressBar progress_;
  const BootTime begin_;
  ReconnectBackoff backoff_;
};

}  // namespace

WaitResult wait_for_names(Context& context, const Client& client,
                          const std::vector<std::string>& names, const WaitOptions& options) {
  std::vector<Target> targets(1);
  targets[0].body["tasks"] = names;
  return Waiter(context, client, std::move(targets), 0, options).run();
}

std::vector<nlohmann::json> wait_for_tasks(Context& context, const Client& client,
                                           const std::vector<TaskId>& ids,
                                           const WaitOptions& options) {
  std::vector<Target> targets;
  for (std::size_t begin = 0; begin < ids.size(); begin += kMaxNames) {
    const std::size_t end = std::min(ids.size(), begin + kMaxNames);
    const auto at = [&](std::size_t i) { return ids.begin() + static_cast<std::ptrdiff_t>(i); };
    targets.emplace_back().body["ids"] = std::vector<TaskId>(at(begin), at(end));
  }
  if (ids.empty()) return {};
  Waiter(context, client, std::move(targets), ids.size() == 1 ? ids.front() : 0, options).run();
  std::vector<nlohmann::json> tasks;
  for (const TaskId id : ids) tasks.push_back(client.get("/v1/tasks/" + std::to_string(id)));
  return tasks;
}

int exit_code_of_all(const std::vector<nlohmann::json>& answers) {
  if (answers.size() == 1) return exit_code_of(read_task(answers[0]));
  for (const nlohmann::json& answer : answers) {
    if (read_task(answer).state != State::succeeded) return kExitSomeFailed;
  }
  return kExitOk;
}

void say_failures(Context& context, const std::vector<nlohmann::json>& answers, std::size_t more) {
  constexpr std::size_t kMaxShown = 10;
  std::size_t shown = 0;
  for (const nlohmann::json& answer : answers) {
    const Task task = read_task(answer);
    if (task.state == State::succeeded) continue;
    if (shown++ >= kMaxShown) {
      ++more;
      continue;
    }
    const std::string reason = describe_reason(task);
    context.say("task " + name_of(task) + " " + std::string(to_string(task.state)) +
                (reason.empty() ? "" : ": " + reason));
  }
  if (more > 0) context.say("… and " + std::to_string(more) + " more did not succeed");
}

}  // namespace taskd::ctl
