// Prevents repeated identical start failures from flooding the log. Thread-safe.
#pragma once

#include <optional>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"

namespace taskd {

class StartFailureLog {
 public:
  explicit StartFailureLog(const Clock& clock) : clock_(clock) {}

  // Whether to log this errno: it differs from the last, or the last was a minute ago.
  bool is_news(int error) {
    constexpr std::int64_t kRepeatMs = 60'000;
    const BootTime now = clock_.boot_now();
    const MutexLock lock(mutex_);
    if (told_at_ && error == error_ && now - *told_at_ < kRepeatMs) return false;
    error_ = error;
    told_at_ = now;
    return true;
  }

 private:
  const Clock& clock_;
  Mutex mutex_;
  int error_ TASKD_GUARDED_BY(mutex_) = 0;
  std::optional<BootTime> told_at_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
