// How much of the processors each user's requests take, so that who asks for much does not keep
// others waiting: a thread that serves such a user while there are others runs at a lower priority,
// and the kernel lets theirs pass it. Nothing changes for a user who is alone, for administrators,
// or where the daemon may not raise a priority again (RLIMIT_NICE). Thread-safe.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "daemon/base/clock.h"
#include "daemon/base/mutex.h"
#include "daemon/store/requests.h"

namespace taskd {

// Of one user, as it fades: a steady use of a fraction f of one processor settles at f * kFadeUs.
struct CpuAccount {
  static constexpr double kFadeUs = 1'000'000;
  double used_us = 0;
  BootTime at;

  double used_us_at(BootTime now) const;
  void add(std::int64_t us, BootTime now);
};

class CpuUse {
 public:
  explicit CpuUse(const Clock& clock);  // which outlives it

  // Serving this user, while it lives, by the thread that made it.
  class Serving {
   public:
    Serving(CpuUse& use, const Actor& actor);
    ~Serving();
    Serving(const Serving&) = delete;
    Serving& operator=(const Serving&) = delete;

   private:
    CpuUse& use_;
    const std::uint32_t uid_;
    const std::int64_t began_us_;
    bool lowered_ = false;
  };

  // Whether this user takes more than a fifth of a processor beside others.
  bool takes_much(const Actor& actor);
  void add(std::uint32_t uid, std::int64_t us);

 private:
  const Clock& clock_;
  const int nice_;            // of the daemon's threads
  const bool may_be_lowered_;  // since it can be raised again
  Mutex mutex_;
  // By uid; who asked nothing for some seconds is forgotten.
  std::unordered_map<std::uint32_t, CpuAccount> accounts_ TASKD_GUARDED_BY(mutex_);
};

}  // namespace taskd
