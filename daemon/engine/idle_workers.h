// Where workers sleep until there is work for them. A commit that lets tasks start claims them for
// idle workers at once, so that nothing waits for a second sync; other work (what a rate lets go,
// what a claim left over) wakes one that then asks the store. Nothing polls.
//
// Threading: promise(), hand_over() and publish() on the store's writer thread, each commit's one
// after the other; the rest from any thread.
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

  // How many idle workers, at most `at_most`, take claims of the commit to come. They stay idle
  // until hand_over(), which must follow.
  int promise(int at_most);
  // What became of the promise: at most as many claims as were promised. Nothing: the store did not
  // get to look, so the workers ask it themselves.
  void hand_over(std::optional<Claims> claims);
  // Wakes as many idle workers as tasks became claimable, or gave way to others, and are not
  // promised; a change of a queue counts as one.
  void publish(std::span<const Change> changes);

  // What wait() compares with, read before the store is asked: so work that is committed meanwhile
  // is not slept through.
  std::uint64_t work_seen() const;
  // Sleeps until there is other work than `seen`, until `later`, or until stop(). Returns what was
  // claimed for this worker, which must run it; else it asks the store itself.
  std::optional<Claim> wait(std::uint64_t seen, std::optional<WallTime> later);

  // What a worker's claims leave to others: another task may start, or will when its rate lets it
  // and the worker that knows has something else to do.
  void share_work(const Claims& next);
  // One more idle worker looks for work: there is some that no commit will tell of.
  void wake_another();

  // Everybody returns from wait(), now and from now on; what is promised is still handed over.
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
  CondVar kept_;  // for workers that would leave and are promised
  bool stopping_ TASKD_GUARDED_BY(mutex_) = false;
  std::uint64_t work_ TASKD_GUARDED_BY(mutex_) = 0;  // counts what there was to look for
  // At least as many workers are idle as are promised and claims handed over.
  int idle_ TASKD_GUARDED_BY(mutex_) = 0;
  int promised_ TASKD_GUARDED_BY(mutex_) = 0;
  std::deque<Claim> handed_ TASKD_GUARDED_BY(mutex_);
  // An idle worker wakes by then at the latest to see what a rate lets go. Empty: perhaps none.
  std::optional<WallTime> watched_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
