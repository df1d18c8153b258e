#include "daemon/engine/worker_pool.h"

#include <poll.h>

#include <algorithm>
#include <cerrno>

#include "daemon/base/log.h"
#include "daemon/engine/dependencies_file.h"
#include "daemon/engine/handler_command.h"

namespace taskd {
namespace {

constexpr int kWorkerDiskFullPauseMs = 1000;
constexpr int kNoRoomPauseMs = 100;
constexpr int kLongestReapPauseMs = 1000;
constexpr std::int64_t kWakeAfterMs = 1000;  // beyond its time limit
constexpr std::int64_t kWakeAgainMs = 60'000;
constexpr std::int64_t kLongestPollMs = 24LL * 3600 * 1000;

void log_end(const Finish& finish) {
  const Outcome& outcome = finish.end.outcome;
  log::info("attempt ended", {{"task", finish.task},
                              {"attempt", finish.attempt},
                              {"outcome", to_string(outcome.kind)},
                              {"code", outcome.code},
                              {"user_cpu_ms", finish.end.usage.user_cpu_ms}});
}

}  // namespace

WorkerPool::WorkerPool(TaskStore& store, Launcher& launcher, RunningSet& running,
                       const Clock& clock, ProgressBoard& progress, const Handlers& handlers,
                       int workers, std::function<void(const std::string&)> on_fatal)
    : store_(store),
      launcher_(launcher),
      running_(running),
      clock_(clock),
      progress_(progress),
      handlers_(handlers),
      workers_(workers),
      on_fatal_(std::move(on_fatal)),
      refusals_(clock),
      idle_(clock) {}

WorkerPool::~WorkerPool() {
  stop();
}

void WorkerPool::start(std::vector<Adopted> adopted) {
  const std::size_t count = std::max(static_cast<std::size_t>(workers_), adopted.size());
  {
    const MutexLock lock(mutex_);
    surplus_ = count - static_cast<std::size_t>(workers_);
  }
  for (std::size_t i = 0; i < count; ++i) {
    std::optional<Adopted> first;
    if (i < adopted.size()) first = std::move(adopted[i]);
    threads_.emplace_back([this, first = std::move(first)]() mutable { run(std::move(first)); });
  }
}

void WorkerPool::stop() {
  idle_.stop();
  stop_event_.raise();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void WorkerPool::run(std::optional<Adopted> adopted) {
  try {
    work(std::move(adopted));
  } catch (const std::exception& e) {
    on_fatal_(std::string("a worker cannot go on: ") + e.what());
  }
}

void WorkerPool::work(std::optional<Adopted> adopted) {
  std::optional<Claim> claim;
  if (adopted) {
    const std::optional<Finish> finish = supervise(adopted->claim, *adopted->live);
    if (!finish) return;
    adopted.reset();
    const bool surplus = leave_if_surplus();
    claim = report(*finish, surplus ? 0 : 1);
    if (surplus) return;
  }
  for (;;) {
    if (!claim) claim = next_claim();
    if (!claim) return;
    const std::optional<Finish> finish = execute(*claim);
    if (!finish) return;
    claim = report(*finish, 1);
  }
}

bool WorkerPool::leave_if_surplus() {
  const MutexLock lock(mutex_);
  if (surplus_ == 0) return false;
  --surplus_;
  return true;
}

std::optional<Claim> WorkerPool::next_claim() {
  for (;;) {
    const std::uint64_t seen = idle_.work_seen();
    if (idle_.stopping()) return std::nullopt;
    try {
      Claims next = store_.claim(1);
      idle_.share_work(next);
      if (!next.claims.empty()) return std::move(next.claims.front());
      if (auto claim = idle_.wait(seen, next.later)) {
        read_spec(*claim);  // here, since the writer that handed it over reads none
        return claim;
      }
    } catch (const StoreUnavailable& e) {
      log::warn("nothing can be claimed", {{"error", e.what()}});
      if (!pause(kWorkerDiskFullPauseMs)) return std::nullopt;
    }
  }
}

std::optional<Finish> WorkerPool::execute(const Claim& claim) {
  auto launched = launch(claim);
  if (auto* end = std::get_if<AttemptEnd>(&launched)) {
    log_refusal(claim, end->outcome);
    return Finish{claim.task, claim.attempt, claim.token, std::move(*end)};
  }
  log::info("attempt started", {{"task", claim.task}, {"attempt", claim.attempt}});
  return supervise(claim, *std::get<std::unique_ptr<LiveAttempt>>(launched));
}

std::variant<std::unique_ptr<LiveAttempt>, AttemptEnd> WorkerPool::launch(const Claim& claim) {
  if (!claim.unreadable.empty()) {
    AttemptEnd end;
    end.outcome = {OutcomeKind::spawn_failed, 0,
                   "its row in the database cannot be read: " + claim.unreadable};
    return end;
  }
  auto launch = launch_of(claim, handlers_, store_.known_user(claim.uid));
  if (auto* why = std::get_if<std::string>(&launch)) {
    AttemptEnd end;
    end.outcome = {OutcomeKind::spawn_failed, 0, std::move(*why)};
    return end;
  }
  auto& ready = std::get<Launch>(launch);
  if (claim.has_dependencies) {
    ready.files.push_back(dependencies_file(store_, claim));
  }
  try {
    return launcher_.launch(ready);
  } catch (const StoreUnavailable& e) {  // its files tell what the store knows
    AttemptEnd end;
    end.outcome = {OutcomeKind::not_started, EAGAIN, e.what()};
    return end;
  }
}

std::optional<Finish> WorkerPool::supervise(const Claim& claim, LiveAttempt& live) {
  running_.attach(claim.task, live, claim.cancel_requested);
  pollfd fds[] = {{live.pidfd(), POLLIN, 0}, {stop_event_.get(), POLLIN, 0}};
  try {
    wait_for_end(claim, live, fds);
  } catch (...) {
    running_.detach(claim.task);
    throw;
  }
  running_.detach(claim.task);
  if ((fds[0].revents & POLLIN) == 0) return std::nullopt;  // stopping; the shim goes on
  std::optional<AttemptEnd> end = reap(claim, live);
  if (!end) return std::nullopt;
  // Before the report: from then on the same attempt may be started again, in the same folder.
  if (end->outcome.kind == OutcomeKind::not_started)
    launcher_.cleanup_attempt(claim.task, claim.attempt);
  Finish finish{claim.task, claim.attempt, claim.token, std::move(*end)};
  log_end(finish);
  return finish;
}

void WorkerPool::wait_for_end(const Claim& claim, LiveAttempt& live, pollfd (&fds)[2]) {
  const std::int64_t timeout_ms = claim.spec.progress_timeout_ms;
  std::optional<ProgressWatch> watch;  // while it has a promise to keep
  if (timeout_ms > 0) watch.emplace(progress_, claim.task);
  // The shim watches over the time limit. Should it be stopped by then, it is continued.
  std::optional<BootTime> wake_at;
  if (claim.spec.timeout_ms > 0) {
    wake_at = clock_.boot_now() + claim.spec.timeout_ms + kWakeAfterMs;
  }
  for (;;) {
    const BootTime now = clock_.boot_now();
    std::int64_t left_ms = -1;
    if (wake_at) {
      if (now >= *wake_at) {
        live.wake();
        wake_at = now + kWakeAgainMs;
      }
      left_ms = *wake_at - now;
    }
    if (watch) {
      const std::int64_t timeout_left_ms = watch->last_heard() + timeout_ms - now;
      if (timeout_left_ms <= 0) {
        log::info("attempt reports no progress; it is stopped",
                  {{"task", claim.task}, {"attempt", claim.attempt}});
        live.stop_stalled();
        watch.reset();
        continue;
      }
      left_ms = left_ms < 0 ? timeout_left_ms : std::min(left_ms, timeout_left_ms);
    }
    const int ready =
        ::poll(fds, 2, static_cast<int>(std::min<std::int64_t>(left_ms, kLongestPollMs)));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) pause(kNoRoomPauseMs);  // ENOMEM
  }
}

// What the machine refuses comes again with every try; what the task itself lacks ends it.
void WorkerPool::log_refusal(const Claim& claim, const Outcome& outcome) {
  if (outcome.kind == OutcomeKind::not_started && !refusals_.is_news(outcome.code)) return;
  log::warn("attempt could not be started", {{"task", claim.task},
                                             {"attempt", claim.attempt},
                                             {"outcome", to_string(outcome.kind)},
                                             {"error", outcome.detail},
                                             {"code", outcome.code}});
}

// The end lies on disk, so whatever is in the way only delays it, and only this one.
std::optional<AttemptEnd> WorkerPool::reap(const Claim& claim, LiveAttempt& live) {
  for (int pause_ms = kNoRoomPauseMs;; pause_ms = std::min(2 * pause_ms, kLongestReapPauseMs)) {
    try {
      return live.reap();
    } catch (const std::system_error& e) {
      if (pause_ms < kLongestReapPauseMs) {  // it is said a few times, not for ever
        log::warn("the end of an attempt cannot be determined yet",
                  {{"task", claim.task}, {"attempt", claim.attempt}, {"error", e.what()}});
      }
    }
    if (!pause(pause_ms)) return std::nullopt;
  }
}

std::optional<Claim> WorkerPool::report(const Finish& finish, int claim_limit) {
  for (;;) {
    try {
      const Finish batch[] = {finish};
      std::vector<FinishResult> results = store_.finish(batch, idle_.stopping() ? 0 : claim_limit);
      FinishResult& result = results.back();
      if (!result.accepted) {
        log::error("a finished attempt was not this worker's any more",
                   {{"task", finish.task}, {"attempt", finish.attempt}});
      }
      if (finish.end.outcome.kind != OutcomeKind::not_started) {
        launcher_.cleanup_attempt(finish.task, finish.attempt);
      }
      idle_.share_work(result.next);
      // A worker that leaves has made room that it does not use itself.
      if (claim_limit == 0) idle_.wake_another();
      if (result.next.claims.empty()) return std::nullopt;
      return std::move(result.next.claims.front());
    } catch (const StoreUnavailable& e) {
      log::error("an end cannot be recorded yet",
                 {{"task", finish.task}, {"attempt", finish.attempt}, {"error", e.what()}});
      // When stopping, the status keeps the end for the next daemon.
      if (!pause(kWorkerDiskFullPauseMs)) return std::nullopt;
    }
  }
}

bool WorkerPool::pause(int ms) const {
  pollfd stop{stop_event_.get(), POLLIN, 0};
  return ::poll(&stop, 1, ms) <= 0;
}

}  // namespace taskd
