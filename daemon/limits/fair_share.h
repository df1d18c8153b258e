// Who of those that could go now takes the next turn: stride scheduling. Each has a pass, the sum
// of what its turns cost; the lowest pass is next, and a turn costs the less the higher the weight.
// So over time each gets turns in proportion to its weight, and none waits for long. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace taskd {

inline constexpr int kMaxWeight = 1000;

class FairShare {
 public:
  // What counts for one that wants a turn now: nobody saves up turns while it wants none.
  std::int64_t standing(std::int64_t pass) const { return std::max(pass, latest_); }

  // It takes a turn; its new pass. `weight` from 1 to kMaxWeight.
  std::int64_t take(std::int64_t pass, int weight) {
    latest_ = standing(pass);
    return latest_ + kTurn / weight;
  }

 private:
  static constexpr std::int64_t kTurn = 720'720;  // divides well; a thousandth of it is still fine
  std::int64_t latest_ = 0;                       // the standing of whoever went last
};

}  // namespace taskd
