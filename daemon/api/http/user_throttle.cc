#include "daemon/api/http/user_throttle.h"

#include <algorithm>

namespace taskd {
namespace {

constexpr std::int64_t kRememberedMs = 2 * UserThrottle::kLongestPauseMs;

}  // namespace

void UserThrottle::arrived(std::uint32_t uid, BootTime now) {
  forget_absent(now);
  accounts_[uid].there_until = now + kThereMs;
}

void UserThrottle::begun(std::uint32_t uid) {
  ++accounts_[uid].answering;
}

void UserThrottle::ended(std::uint32_t uid, std::int64_t cpu_us, BootTime now) {
  Account& account = accounts_[uid];
  --account.answering;
  account.there_until = now + kThereMs;
  charge(uid, cpu_us, now);
}

void UserThrottle::charge(std::uint32_t uid, std::int64_t cpu_us, BootTime now) {
  const std::int64_t owed_ms = std::min((cpu_us - kFreeUs) * kPausePerWork / 1000, kLongestPauseMs);
  if (owed_ms <= 0) return;
  Account& account = accounts_[uid];
  account.owes_until = std::max(account.owes_until.value_or(now), now + owed_ms);
}

std::optional<BootTime> UserThrottle::pauses_until(std::uint32_t uid, BootTime now) const {
  const auto found = accounts_.find(uid);
  if (found == accounts_.end() || !found->second.owes_until) return std::nullopt;
  const auto others = others_until(uid, now);
  if (!others) return std::nullopt;
  const Account& account = found->second;
  if (account.owes_at(now)) return std::min(*account.owes_until, *others);
  if (now - *account.owes_until > kLongestPauseMs) return std::nullopt;
  return account.answering > 0 ? std::optional(now + kLongestPauseMs) : std::nullopt;
}

std::optional<BootTime> UserThrottle::others_until(std::uint32_t uid, BootTime now) const {
  std::optional<BootTime> until;
  for (const auto& [other, account] : accounts_) {
    if (other == uid || account.owes_at(now)) continue;
    if (account.answering > 0) return now + kThereMs;
    if (account.there_until && *account.there_until > now) {
      until = std::max(until.value_or(now), *account.there_until);
    }
  }
  return until;
}

void UserThrottle::forget_absent(BootTime now) {
  if (forgot_at_ && now - *forgot_at_ < kRememberedMs) return;
  forgot_at_ = now;
  std::erase_if(accounts_, [&](const auto& one) {
    const auto is_past = [&](const std::optional<BootTime>& time) {
      return !time || now - *time > kRememberedMs;
    };
    const Account& account = one.second;
    return account.answering == 0 && is_past(account.there_until) && is_past(account.owes_until);
  });
}

}  // namespace taskd
