#include "daemon/engine/idle_workers.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace taskd {
namespace {

constexpr std::int64_t kLongestWaitMs = 60'000;  // for a rate

}  // namespace

int IdleWorkers::promise(int at_most) {
  const MutexLock lock(mutex_);
  if (stopping_) return 0;
  const int handed = static_cast<int>(handed_.size());
  promised_ = std::clamp(idle_ - handed, 0, at_most);
  return promised_;
}

void IdleWorkers::hand_over(std::optional<Claims> claims) {
  const MutexLock lock(mutex_);
  auto woken = static_cast<std::size_t>(std::exchange(promised_, 0));  // publish() left them asleep
  if (claims) {
    woken = claims->claims.size();
    std::move(claims->claims.begin(), claims->claims.end(), std::back_inserter(handed_));
    if (claims->more || is_unwatched(claims->later)) look_again();
  }
  for (; woken > 0; --woken) wake_.notify_one();
  kept_.notify_all();
}

void IdleWorkers::publish(std::span<const Change> changes) {
  const auto starts = std::count_if(changes.begin(), changes.end(),
                                    [](const Change& change) { return change.lets_start(); });
  if (starts == 0) return;
  const MutexLock lock(mutex_);
  ++work_;
  for (auto n = std::min<std::ptrdiff_t>(starts, idle_) - promised_; n > 0; --n) wake_.notify_one();
}

std::uint64_t IdleWorkers::work_seen() const {
  const MutexLock lock(mutex_);
  return work_;
}

std::optional<Claim> IdleWorkers::wait(std::uint64_t seen, std::optional<WallTime> later) {
  const MutexLock lock(mutex_);
  ++idle_;
  if (later) {
    sleep_until(seen, *later);
  } else {
    while (!has_news(seen)) wake_.wait(mutex_);
  }
  // What is being committed for an idle worker must find one.
  while (handed_.empty() && idle_ <= promised_) kept_.wait(mutex_);
  --idle_;
  if (handed_.empty()) return std::nullopt;
  Claim claim = std::move(handed_.front());
  handed_.pop_front();
  if (is_unwatched(later)) look_again();
  return claim;
}

// Once is enough: who returns early asks the store and comes back. Not for long at a time, since
// `later` is on the wall clock, which goes on in suspend and may be set.
void IdleWorkers::sleep_until(std::uint64_t seen, WallTime later) {
  const std::int64_t left_ms = later - clock_.wall_now();
  if (has_news(seen)) return;
  watched_ = earlier(watched_, later);
  wake_.wait_for(mutex_, std::clamp<std::int64_t>(left_ms, 1, kLongestWaitMs));
  if (watched_ == later) watched_.reset();
}

void IdleWorkers::share_work(const Claims& next) {
  if (next.claims.empty()) return;  // the worker itself waits for what will be
  const MutexLock lock(mutex_);
  if (next.more || is_unwatched(next.later)) look_again();
}

void IdleWorkers::wake_another() {
  const MutexLock lock(mutex_);
  look_again();
}

void IdleWorkers::look_again() {
  ++work_;  // also for one that has just asked the store and is about to wait
  if (idle_ > 0) wake_.notify_one();
}

void IdleWorkers::stop() {
  const MutexLock lock(mutex_);
  stopping_ = true;
  wake_.notify_all();
}

bool IdleWorkers::stopping() const {
  const MutexLock lock(mutex_);
  return stopping_;
}

}  // namespace taskd
