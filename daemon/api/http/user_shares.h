// How much of the server each user holds, so that no user's requests slow down another.
//
// Every resource has a total. A part of it is reserved for administrators, and one user may hold at
// most a share of it; only the first item a user holds may exceed the share. When a total is used
// up, the caller takes something from the largest holder. Pure accounting: not thread-safe, the
// pool's mutex guards it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "daemon/store/requests.h"

namespace taskd {

enum class Holding {
  connections,
  request_bytes,  // of requests that are incomplete or wait for their turn
  output_bytes,   // of answers that wait for slow readers
  turns,          // requests being answered, each by a thread
  reads,          // those among them that use a store reader most of the time
  work_bytes,     // memory for parsed requests
  waits,          // requests that wait for a task, without a thread
  streams,        // followed outputs, each with a thread
};
inline constexpr std::size_t kHoldings = 8;

struct ShareLimit {
  std::int64_t total = 0;
  std::int64_t reserve = 0;  // of the total, for administrators only
  std::int64_t share = 0;    // limit for one user who is no administrator
};
using ShareLimits = std::array<ShareLimit, kHoldings>;

class UserShares {
 public:
  explicit UserShares(const ShareLimits& limits) : limits_(limits) {}

  enum class Verdict {
    granted,
    over_share,  // the user has reached the share
    used_up,     // the total is used up
  };
  // Takes `amount` for the user if it is granted. `already`: how much of the user's holding belongs
  // to the same item.
  Verdict take(const Actor& actor, Holding resource, std::int64_t amount, std::int64_t already = 0);
  void give_back(std::uint32_t uid, Holding resource, std::int64_t amount);

  // Whether this amount could be granted if nobody held anything.
  bool fits(const Actor& actor, Holding resource, std::int64_t amount) const;
  std::int64_t held_by(std::uint32_t uid, Holding resource) const;
  std::int64_t held(Holding resource) const { return held_[index_of(resource)]; }
  // Nothing if nobody holds any.
  std::optional<std::uint32_t> largest_holder(Holding resource) const;
  std::size_t users() const { return accounts_.size(); }  // users that hold anything

 private:
  using Amounts = std::array<std::int64_t, kHoldings>;
  static std::size_t index_of(Holding resource) { return static_cast<std::size_t>(resource); }

  const ShareLimits limits_;
  Amounts held_{};
  // By uid; entries that are all zero are removed.
  std::unordered_map<std::uint32_t, Amounts> accounts_;
};

}  // namespace taskd
