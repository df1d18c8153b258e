// Stride scheduling. Each participant has a pass, the sum of what its turns cost. The lowest pass
// goes next; the higher the weight, the less a turn costs. So everyone gets turns in proportion to
// its weight, and nobody starves. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace taskd {

inline constexpr int kMaxWeight = 1000;

class FairShare {
 public:
  // The effective pass. A participant that wanted no turns for a while does not save them up.
  std::int64_t standing(std::int64_t pass) const { return std::max(pass, latest_); }

  // Takes a turn and returns the new pass. `weight` is from 1 to kMaxWeight.
  std::int64_t take(std::int64_t pass, int weight) {
    latest_ = standing(pass);
    return latest_ + kTurn / weight;
  }

 private:
  // Has many divisors, and a thousandth of it is still precise
  static constexpr std::int64_t kTurn = 720'720;
  std::int64_t latest_ = 0;  // the effective pass of the latest turn
};

}  // namespace taskd
