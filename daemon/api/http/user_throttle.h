// Slows down who asks for much, so that one long request after another does not keep others
// waiting.
//
// A request owes kPausePerWork times what it takes of the processors beyond kFreeUs, in whatever
// threads, at most kLongestPauseMs; until that is over its user has no other one answered. But only
// while somebody else is there who owes nothing: nobody waits for the sake of a daemon that has
// nothing to do, and of users who all ask for much each gets what he would get without pauses. Pure
// accounting: not thread-safe, the pool's mutex guards it.
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
  static constexpr std::int64_t kPausePerWork = 9;  // a tenth of one processor is left to him
  static constexpr std::int64_t kLongestPauseMs = 2'000;
  static constexpr std::int64_t kThereMs = 50;  // so long after a request somebody is there

  // The user has sent a request.
  void arrived(std::uint32_t uid, BootTime now);
  // One of his requests is being answered; and has been, with this much work.
  void begun(std::uint32_t uid);
  void ended(std::uint32_t uid, std::int64_t cpu_us, BootTime now);
  // Work for one of his requests beside that.
  void charge(std::uint32_t uid, std::int64_t cpu_us, BootTime now);

  // When it is worth asking again whether he has to pause; nothing: he has not. While he has paused
  // in the last kLongestPauseMs and others are there he has one request answered at a time; then
  // the end of that one is the time to ask again, and the answer is `now` + kLongestPauseMs.
  std::optional<BootTime> pauses_until(std::uint32_t uid, BootTime now) const;

  std::size_t users() const { return accounts_.size(); }  // that are remembered

 private:
  struct Account {
    int answering = 0;
    std::optional<BootTime> there_until;  // by requests that are answered
    std::optional<BootTime> owes_until;
    bool owes_at(BootTime now) const { return owes_until && *owes_until > now; }
  };
  // Until when at least somebody else is there who owes nothing; nothing: nobody is.
  std::optional<BootTime> others_until(std::uint32_t uid, BootTime now) const;
  void forget_absent(BootTime now);

  std::unordered_map<std::uint32_t, Account> accounts_;  // by uid
  std::optional<BootTime> forgot_at_;
};

}  // namespace taskd
