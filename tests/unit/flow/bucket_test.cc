#include "daemon/flow/bucket.h"

#include <doctest/doctest.h>

#include <vector>

namespace taskd {
namespace {

// The times of the first starts from `from` on, each as early as the limit lets it.
std::vector<std::int64_t> starts(const RateLimit& limit, Bucket& bucket, WallTime from, int count) {
  std::vector<std::int64_t> times;
  WallTime now = from;
  for (int i = 0; i < count; ++i) {
    now = std::max(now, next_start(limit, bucket, now));
    times.push_back(now.ms);
    bucket = after_start(limit, bucket, now);
  }
  return times;
}

using Times = std::vector<std::int64_t>;

TEST_CASE("a full bucket starts its count at once and then at the pace it refills") {
  Bucket bucket;
  CHECK(starts({3, 60'000}, bucket, {1'000'000}, 6) ==
        Times{1'000'000, 1'000'000, 1'000'000, 1'020'000, 1'040'000, 1'060'000});
  // After a quiet interval all of it is there again, and not more.
  CHECK(starts({3, 60'000}, bucket, {9'000'000}, 4) ==
        Times{9'000'000, 9'000'000, 9'000'000, 9'020'000});
}

TEST_CASE("more than one start a millisecond is kept as exactly as fewer") {
  Bucket bucket;
  const auto times = starts({5000, 1000}, bucket, {1'000}, 15'000);
  CHECK(times[4'999] == 1'000);
  CHECK(times[5'000] == 1'001);
  CHECK(times[14'999] == 3'000);
}

TEST_CASE("a rate that does not divide evenly is not exceeded") {
  for (const RateLimit limit :
       {RateLimit{7, 1000}, RateLimit{7000, 1000}, RateLimit{700'000, 1000}}) {
    Bucket bucket;
    const auto times = starts(limit, bucket, {1'000}, static_cast<int>(limit.count) * 2 + 2);
    const auto count = static_cast<std::size_t>(limit.count);
    CAPTURE(limit.count);
    if (limit.count <= 7000) CHECK(times[count - 1] == 1'000);
    CHECK(times[count] > 1'000);
    CHECK(times[count * 2 + 1] >= 2'000);
  }
}

TEST_CASE("each start that comes back is foretold, until all have") {
  const RateLimit limit{3, 60'000};
  Bucket bucket;
  CHECK_FALSE(next_gain(limit, bucket, {1'000'000}));
  starts(limit, bucket, {1'000'000}, 3);
  for (const std::int64_t left : {0, 1, 2}) {
    const WallTime now{1'000'000 + left * 20'000};
    CHECK(starts_left(limit, bucket, now) == left);
    CHECK(next_gain(limit, bucket, now) == now + 20'000);
    CHECK(next_gain(limit, bucket, now + 19'999) == now + 20'000);
  }
  CHECK_FALSE(next_gain(limit, bucket, {1'060'000}));
}

TEST_CASE("a clock that is put back makes nobody wait for longer than the bucket takes to fill") {
  Bucket bucket;
  starts({2, 10'000}, bucket, {5'000'000}, 2);
  CHECK(next_start({2, 10'000}, bucket, {1'000}) == WallTime{6'000});
  CHECK(next_start({2, 10'000}, bucket, {4'999'000}) == WallTime{5'004'000});
}

TEST_CASE("a rate is written as a count and a time") {
  CHECK(parse_rate("10/1m") == RateLimit{10, 60'000});
  CHECK(parse_rate("5/s") == RateLimit{5, 1000});
  CHECK(parse_rate("1/90s") == RateLimit{1, 90'000});
  CHECK(format_rate({10, 60'000}) == "10/1m");
  for (const char* bad : {"", "10", "/", "10/", "/1m", "0/1m", "-1/1m", "10/0", "1.5/m", "10/1x",
                          "10/1m/2", "1000001/s", "1/400d"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rate(bad));
  }
}

}  // namespace
}  // namespace taskd
