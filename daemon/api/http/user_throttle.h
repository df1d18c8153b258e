// Slows down users who ask for much work, so that long requests in a row do not keep others
// waiting.
//
// A request owes kPausePerWork times the CPU time it takes beyond kFreeUs, in any threads, but at
// most kLongestPauseMs. Until that time is over, no other request of its user is answered, provided
// that another user who owes nothing is present. So an idle daemon makes nobody wait; and if all
// users ask for much, each gets the same as without pauses. Pure accounting: not thread-safe, the
// pool's mutex guards it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "daemon/base/clock.h"

namespace taskd {

class UserThrottle {
 public:
  static constexpr std::int64_t kFreeUs = 1'000;
  static constexpr std::int64_t kPausePerWork = 9;  // leaves the user a tenth of one CPU
  static constexpr std::int64_t kLongestPauseMs = 2'000;
  // A user counts as present for this long after a request.
  static constexpr std::int64_t kThereMs = 50;

  // The user has sent a request.
  void arrived(std::uint32_t uid, BootTime now);
  // A request of the user starts; and has ended, with this much work.
  void begun(std::uint32_t uid);
  void ended(std::uint32_t uid, std::int64_t cpu_us, BootTime now);
  // Adds work for one of the user's requests done elsewhere.
  void charge(std::uint32_t uid, std::int64_t cpu_us, BootTime now);

  // When to ask again whether the user must pause; nothing = no pause. A user who paused within the
  // last kLongestPauseMs while others are present gets one request answered at a time; then the
  // time to ask again is the end of that one, and the result is `now` + kLongestPauseMs.
  std::optional<BootTime> pauses_until(std::uint32_t uid, BootTime now) const;

  std::size_t users() const { return accounts_.size(); }  // users remembered

 private:
  struct Account {
    int answering = 0;
    std::optional<BootTime> there_until;  // extended by answered requests
    std::optional<BootTime> owes_until;
    bool owes_at(BootTime now) const { return owes_until && *owes_until > now; }
  };
  // Until when at least one other user who owes nothing is present; nothing = none is.
  std::optional<BootTime> others_until(std::uint32_t uid, BootTime now) const;
  void forget_absent(BootTime now);

  std::unordered_map<std::uint32_t, Account> accounts_;  // by uid
  std::optional<BootTime> forgot_at_;
};

}  // namespace taskd
