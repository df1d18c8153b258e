#include "daemon/api/cpu_use.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cmath>
#include <thread>

namespace taskd {
namespace {

constexpr double kMuchUs = CpuAccount::kFadeUs / 5;
constexpr std::int64_t kForgottenMs = 5000;
// A third of the weight: it still gets its part beside jobs that take all there is.
constexpr int kLowerBy = 5;

// Of the calling thread, as Linux has it.
bool set_nice(int value) {
  return ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()), value) == 0;
}

// Tried in a thread of its own, which is the one that would be stuck.
bool can_raise_again(int nice) {
  bool raised = false;
  std::thread([&] { raised = set_nice(nice + kLowerBy) && set_nice(nice); }).join();
  return raised;
}

}  // namespace

double CpuAccount::used_us_at(BootTime now) const {
  return used_us * std::exp(-1000.0 * static_cast<double>(now - at) / kFadeUs);
}

void CpuAccount::add(std::int64_t us, BootTime now) {
  used_us = used_us_at(now) + static_cast<double>(us);
  at = now;
}

CpuUse::CpuUse(const Clock& clock)
    : clock_(clock),
      nice_(::getpriority(PRIO_PROCESS, 0)),
      may_be_lowered_(can_raise_again(nice_)) {}

bool CpuUse::takes_much(const Actor& actor) {
  if (actor.admin) return false;
  const BootTime now = clock_.boot_now();
  const MutexLock lock(mutex_);
  const auto own = accounts_.find(actor.uid);
  if (own == accounts_.end() || own->second.used_us_at(now) < kMuchUs) return false;
  std::erase_if(accounts_, [&](const auto& one) { return now - one.second.at > kForgottenMs; });
  return accounts_.size() > 1;
}

void CpuUse::add(std::uint32_t uid, std::int64_t us) {
  const BootTime now = clock_.boot_now();
  const MutexLock lock(mutex_);
  accounts_[uid].add(us, now);
}

CpuUse::Serving::Serving(CpuUse& use, const Actor& actor)
    : use_(use), uid_(actor.uid), began_us_(thread_cpu_us()) {
  lowered_ = use.may_be_lowered_ && use.takes_much(actor) && set_nice(use.nice_ + kLowerBy);
}

CpuUse::Serving::~Serving() {
  use_.add(uid_, thread_cpu_us() - began_us_);
  // It was tried when the daemon started; where it fails now, this thread stays a slow one.
  if (lowered_) set_nice(use_.nice_);
}

}  // namespace taskd
