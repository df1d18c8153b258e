// Where workers sleep until there is work. A commit that lets tasks start also claims them for idle
// workers, so that no second sync is needed. Other work (tasks that a rate releases, or that a
// claim left over) wakes one worker, which then asks the store. Nothing polls.
//
// Threading: promise(), hand_over() and publish() on the store's writer thread, in this order for
// each commit; the rest from any thread.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <span>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/store/task_store.h"

namespace taskd {

class IdleWorkers {
 public:
  explicit IdleWorkers(const Clock& clock) : clock_(clock) {}

  // Returns how many idle workers, at most `at_most`, take claims from the coming commit. They stay
  // idle until hand_over(), which must follow.
  int promise(int at_most);
  // Fulfils the promise, with at most as many claims as promised. Nothing: the store could not
  // claim, so the workers ask it themselves.
  void hand_over(std::optional<Claims> claims);
  // Wakes one idle worker for each task that became claimable, or made way for others, and is not
  // promised to a worker. A change of a queue counts as one.
  void publish(std::span<const Change> changes);

  // The counter that wait() compares with. Read it before asking the store, so that work committed
  // meanwhile is not missed.
  std::uint64_t work_seen() const;
  // Sleeps until there is work newer than `seen`, until `later`, or until stop(). Returns the claim
  // for this worker, which must run it; without one the worker asks the store.
  std::optional<Claim> wait(std::uint64_t seen, std::optional<WallTime> later);

  // Passes on what a worker's claims leave over: another task may start now, or will when its rate
  // allows it while this worker is busy.
  void share_work(const Claims& next);
  // Wakes one more idle worker, for work that no commit will announce.
  void wake_another();

  // Makes every wait() return, now and from now on. Promised claims are still handed over.
  void stop();
  bool stopping() const;

 private:
  void look_again() TASKD_REQUIRES(mutex_);
  bool is_unwatched(std::optional<WallTime> later) const TASKD_REQUIRES(mutex_) {
    return later && (!watched_ || *later < *watched_);
  }
  void sleep_until(std::uint64_t seen, WallTime later) TASKD_REQUIRES(mutex_);
  bool has_news(std::uint64_t seen) const TASKD_REQUIRES(mutex_) {
    return work_ != seen || stopping_ || !handed_.empty();
  }

  const Clock& clock_;
  mutable Mutex mutex_;
  CondVar wake_;
  CondVar kept_;  // for workers that want to leave but have a promise to wait for
  bool stopping_ TASKD_GUARDED_BY(mutex_) = false;
  std::uint64_t work_ TASKD_GUARDED_BY(mutex_) = 0;  // counts every time there was work to look for
  // Invariant: at least as many workers are idle as there are promises plus claims handed over.
  int idle_ TASKD_GUARDED_BY(mutex_) = 0;
  int promised_ TASKD_GUARDED_BY(mutex_) = 0;
  std::deque<Claim> handed_ TASKD_GUARDED_BY(mutex_);
  // When an idle worker wakes at the latest, to see what a rate releases. Empty: there may be none.
  std::optional<WallTime> watched_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
