#include "daemon/store/db/commit_times.h"

#include <algorithm>
#include <bit>

namespace taskd {
namespace {

constexpr int kMantissaBits = 3;

// Values below 8 have their own bucket; larger ones are grouped by their highest bit and the next
// three.
std::size_t bucket_of(std::uint64_t us) {
  const int shift = std::max(static_cast<int>(std::bit_width(us)) - 1 - kMantissaBits, 0);
  return static_cast<std::size_t>(shift) * 8 + static_cast<std::size_t>(us >> shift);
}

// The highest value of the bucket.
std::int64_t end_of(std::size_t bucket) {
  if (bucket < 16) return static_cast<std::int64_t>(bucket);
  const std::size_t shift = bucket / 8 - 1;
  const std::uint64_t first = std::uint64_t{bucket - shift * 8} << shift;
  return static_cast<std::int64_t>(first + (std::uint64_t{1} << shift) - 1);
}

}  // namespace

void CommitTimes::add(std::int64_t us) {
  us = std::max<std::int64_t>(us, 0);
  ++counts_.at(std::min(bucket_of(static_cast<std::uint64_t>(us)), kBuckets - 1));
  if (us > max_us_) max_us_ = us;  // only the writer adds
}

CommitTimesUs CommitTimes::summary() const {
  CommitTimesUs summary;
  for (const auto& count : counts_) summary.count += count;
  summary.max = max_us_;
  const auto percentile = [&](std::int64_t per_mille) {
    std::int64_t left = (summary.count * per_mille + 999) / 1000;
    for (std::size_t i = 0; i < kBuckets; ++i) {
      left -= counts_[i];
      if (left <= 0) return std::min(end_of(i), summary.max);
    }
    return summary.max;
  };
  if (summary.count == 0) return summary;
  summary.p50 = percentile(500);
  summary.p99 = percentile(990);
  summary.p999 = percentile(999);
  return summary;
}

}  // namespace taskd
