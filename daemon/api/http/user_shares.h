// Who holds how much of the server, so that what one user asks for never costs another.
//
// Every resource has a total. A part of it is kept for administrators, and one user may hold no
// more than a share of it; only the first thing that a user holds may be larger than that. Where a
// total is used up, the caller takes something from the largest holder. Pure accounting: not
// thread-safe, the pool's mutex guards it.
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
  request_bytes,  // of requests that have not wholly arrived, or wait for their turn
  output_bytes,   // of answers that wait for slow readers
  turns,          // requests that are being answered, each by a thread
  reads,          // those of them that have one of the store's readers most of the time
  work_bytes,     // what parsed requests take in memory
  waits,          // requests that wait for a task; they have no thread
  streams,        // followed outputs; each has a thread
};
inline constexpr std::size_t kHoldings = 8;

struct ShareLimit {
  std::int64_t total = 0;
  std::int64_t reserve = 0;  // of the total, for administrators alone
  std::int64_t share = 0;    // of one user who is none
};
using ShareLimits = std::array<ShareLimit, kHoldings>;

class UserShares {
 public:
  explicit UserShares(const ShareLimits& limits) : limits_(limits) {}

  enum class Verdict {
    granted,
    over_share,  // the user holds his share
    used_up,     // all users together hold what there is
  };
  // Takes `amount` for the user if it is granted. `already` of what he holds belongs to the same
  // thing.
  Verdict take(const Actor& actor, Holding resource, std::int64_t amount, std::int64_t already = 0);
  void give_back(std::uint32_t uid, Holding resource, std::int64_t amount);

  // Whether so much could be had if nobody held anything.
  bool fits(const Actor& actor, Holding resource, std::int64_t amount) const;
  std::int64_t held_by(std::uint32_t uid, Holding resource) const;
  std::int64_t held(Holding resource) const { return held_[index_of(resource)]; }
  // Nobody, where nothing of it is held.
  std::optional<std::uint32_t> largest_holder(Holding resource) const;
  std::size_t users() const { return accounts_.size(); }  // that hold anything

 private:
  using Amounts = std::array<std::int64_t, kHoldings>;
  static std::size_t index_of(Holding resource) { return static_cast<std::size_t>(resource); }

  const ShareLimits limits_;
  Amounts held_{};
  std::unordered_map<std::uint32_t, Amounts> accounts_;  // by uid; none that is all zero
};

}  // namespace taskd
