#include "daemon/engine/idle_workers.h"

#include <algorithm>
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

void IdleWorkers::hand_over(Claims claims) {
  {
    const MutexLock lock(mutex_);
    const bool all_served = std::cmp_equal(claims.claims.size(), promised_);
    promised_ = 0;
    for (Claim& claim : claims.claims) {
      handed_.push_back(std::move(claim));
      wake_.notify_one();
    }
    if (!all_served) wake_.notify_all();  // some may have stayed for the promise alone
  }
  share_work(claims);
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
  while (handed_.empty() && idle_ <= promised_) wake_.wait(mutex_);
  --idle_;
  if (handed_.empty()) return std::nullopt;
  Claim claim = std::move(handed_.front());
  handed_.pop_front();
  if (later) look_again();  // somebody else is to watch the rate
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
  bool is_left = next.more;
  if (!next.claims.empty() && next.later) {
    const MutexLock lock(mutex_);
    is_left |= !watched_ || *next.later < *watched_;
  }
  if (is_left) wake_another();
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
