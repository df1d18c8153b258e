#include "daemon/engine/timer_thread.h"

#include <poll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>

#include "daemon/base/errors.h"
#include "daemon/base/log.h"

namespace taskd {
namespace {

constexpr int kBatch = 500;  // small enough not to hold up submits behind one command
constexpr std::int64_t kUpkeepDiskFullPauseMs = 5000;
constexpr std::int64_t kDoubtedClockPauseMs = 60'000;
constexpr WallTime kNever{std::numeric_limits<std::int64_t>::max()};

// Empties a timerfd. ECANCELED is how it reports a jump of the clock.
void drain(int fd) {
  std::uint64_t count = 0;
  [[maybe_unused]] const ssize_t n = ::read(fd, &count, sizeof count);
}

}  // namespace

TimerThread::TimerThread(TaskStore& store, Launcher& launcher, const Clock& clock,
                       const Clock& age_clock, const Handlers& handlers,
                       std::function<void(const std::string&)> on_fatal)
    : store_(store),
      launcher_(launcher),
      clock_(clock),
      age_clock_(age_clock),
      on_fatal_(std::move(on_fatal)),
      timer_(::timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK)),
      schedule_runner_(store, handlers),
      sweep_(store, launcher) {
  if (!timer_) throw_errno("timerfd_create");
}

TimerThread::~TimerThread() {
  stop();
}

void TimerThread::start() {
  thread_ = std::thread([this] { run(); });
}

void TimerThread::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  wake_.raise();
  if (thread_.joinable()) thread_.join();
}

void TimerThread::publish(std::span<const Change> changes) {
  std::optional<WallTime> first;
  for (const Change& change : changes) first = earlier(first, change.act_at);
  if (!first) return;
  const MutexLock lock(mutex_);
  if (*first < armed_) wake_.raise();
}

std::optional<WallTime> TimerThread::run_once() {
  const WallTime now = clock_.wall_now();
  const std::optional<WallTime> due = store_.promote(now, kBatch);
  const WallTime trusted = age_clock_.wall_now();
  const StoreExecution::PruneResult pruned = store_.prune(trusted, kBatch);
  for (const auto& task : pruned.tasks) launcher_.remove_task(task.id, task.attempts);
  if (!pruned.tasks.empty()) log::info("tasks pruned", {{"count", pruned.tasks.size()}});
  // While a jump of the clock is doubted, a day at most, it is looked at again and again.
  std::optional<WallTime> prune_at = pruned.next;
  if (prune_at && trusted < now) prune_at = std::max(*prune_at, now + kDoubtedClockPauseMs);
  // Last, since on a full disk it may not submit, and what prunes must go on all the same.
  return earlier(earlier(due, prune_at), schedule_runner_.run_once(now));
}

void TimerThread::run() {
  try {
    for (;;) {
      {
        const MutexLock lock(mutex_);
        if (stopping_) return;
        armed_ = kNever;
      }
      std::optional<WallTime> next;
      try {
        next = run_once();
      } catch (const StoreUnavailable& e) {
        log::warn("nothing can be promoted, fired or pruned", {{"error", e.what()}});
        next = clock_.wall_now() + kUpkeepDiskFullPauseMs;
      }
      wait(next);
    }
  } catch (const std::exception& e) {
    on_fatal_(std::string("the timer thread cannot go on: ") + e.what());
  }
}

void TimerThread::wait(std::optional<WallTime> next) {
  itimerspec spec{};
  if (next) {
    spec.it_value.tv_sec = static_cast<time_t>(next->ms / 1000);
    spec.it_value.tv_nsec = static_cast<long>(next->ms % 1000 * 1'000'000);
    if (next->ms <= 0) spec.it_value.tv_nsec = 1;  // all zero would disarm it
  }
  if (::timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec,
                        nullptr) != 0) {
    if (errno == ECANCELED) return;  // the clock jumped under us: look at it again
    throw_errno("timerfd_settime");
  }
  {
    const MutexLock lock(mutex_);
    armed_ = next.value_or(kNever);
  }
  pollfd fds[] = {{timer_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}};
  int ready = 0;
  do {
    ready = ::poll(fds, 2, sweep_.done() ? -1 : 0);
    if (ready == 0) sweep_.step();
  } while (ready == 0 || (ready < 0 && errno == EINTR));
  if (ready < 0) throw_errno("poll on the timer thread's clock");
  drain(timer_.get());
  wake_.clear();
}

}  // namespace taskd
