#include "daemon/limits/recent_starts.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace taskd {
namespace {

using Times = std::vector<std::int64_t>;

// The times of the first starts from `from` on, each as early as the limit lets it.
Times starts(const RateLimit& limit, RecentStarts& recent, WallTime from, int count) {
  Times times;
  WallTime now = from;
  for (int i = 0; i < count; ++i) {
    now = std::max(now, next_start(limit, recent, now));
    times.push_back(now.ms);
    recent = after_start(limit, std::move(recent), now);
  }
  return times;
}

// The most starts in any stretch of the interval.
std::int64_t most_in_any_window(const Times& times, std::int64_t per_ms) {
  std::int64_t most = 0;
  for (auto first = times.begin(), last = first; last != times.end(); ++last) {
    while (*last - *first >= per_ms) ++first;
    most = std::max<std::int64_t>(most, last - first + 1);
  }
  return most;
}

TEST_CASE("after a quiet time all may start together, and the next ones as the window slides") {
  RecentStarts recent;
  CHECK(starts({3, 60'000}, recent, {1'000'000}, 7) ==
        Times{1'000'000, 1'000'000, 1'000'000, 1'060'000, 1'060'000, 1'060'000, 1'120'000});
  CHECK(starts({3, 60'000}, recent, {9'000'000}, 4) ==
        Times{9'000'000, 9'000'000, 9'000'000, 9'060'000});
}

TEST_CASE("fifteen a minute are never more than fifteen in any minute, whenever they are asked for") {
  const RateLimit limit{15, 60'000};
  std::mt19937 random(7);
  for (int round = 0; round < 200; ++round) {
    RecentStarts recent;
    Times times;
    WallTime now{1'000'000};
    while (times.size() < 100) {
      if (next_start(limit, recent, now) <= now) {
        times.push_back(now.ms);
        recent = after_start(limit, std::move(recent), now);
      }
      now = now + static_cast<std::int64_t>(random() % 9'000);
    }
    REQUIRE(most_in_any_window(times, limit.per_ms) <= limit.count);
  }
}

TEST_CASE("a large count is kept in bounded memory, never exceeded, and hardly late") {
  for (const std::int64_t count : {129, 5'000, 100'000}) {
    const RateLimit limit{count, 10'000};
    CAPTURE(count);
    RecentStarts recent;
    Times times;
    // An even demand of twice the rate.
    const std::int64_t each_ms = std::max<std::int64_t>(1, limit.per_ms / count / 2);
    const std::int64_t at_once = std::max<std::int64_t>(1, 2 * count * each_ms / limit.per_ms);
    for (WallTime now{5'000'000}; now.ms < 5'000'000 + 3 * limit.per_ms; now = now + each_ms) {
      for (std::int64_t i = 0; i < at_once && next_start(limit, recent, now) <= now; ++i) {
        times.push_back(now.ms);
        recent = after_start(limit, std::move(recent), now);
      }
    }
    CHECK(static_cast<std::int64_t>(recent.groups.size()) <= RecentStarts::kMaxGroups + 2);
    CHECK(most_in_any_window(times, limit.per_ms) <= count);
    CHECK(static_cast<double>(times.size()) > 0.97 * 3 * static_cast<double>(count));
  }
}

TEST_CASE("a burst starts together, and the next ones come at the pace of the rate") {
  const RateLimit limit{6, 60'000, 2};
  RecentStarts recent;
  CHECK(starts(limit, recent, {1'000'000}, 5) ==
        Times{1'000'000, 1'000'000, 1'010'000, 1'020'000, 1'030'000});
  // After a quiet time a burst is there again, and not more.
  CHECK(starts(limit, recent, {9'000'000}, 4) ==
        Times{9'000'000, 9'000'000, 9'010'000, 9'020'000});
}

TEST_CASE("a burst does not lift the limit of the interval") {
  for (const RateLimit limit : {RateLimit{10, 60'000, 9}, RateLimit{7, 1000, 3},
                                RateLimit{7, 1000, 1}, RateLimit{10, 60'000, 10}}) {
    CAPTURE(format_rate(limit));
    RecentStarts recent;
    CHECK(most_in_any_window(starts(limit, recent, {1'000}, 60), limit.per_ms) <= limit.count);
  }
}

TEST_CASE("each start that comes back is foretold, until all have") {
  for (const RateLimit limit : {RateLimit{3, 60'000}, RateLimit{6, 60'000, 3}}) {
    CAPTURE(format_rate(limit));
    RecentStarts recent;
    CHECK_FALSE(next_gain(limit, recent, {1'000'000}));
    recent = after_start(limit, recent, {1'000'000});
    recent = after_start(limit, recent, {1'000'000});
    recent = after_start(limit, recent, {1'005'000});
    WallTime now{1'005'000};
    for (std::int64_t left = starts_left(limit, recent, now); left < 3;) {
      const WallTime gain = next_gain(limit, recent, now).value();
      CHECK(starts_left(limit, recent, gain + -1) == left);
      CHECK(starts_left(limit, recent, gain) > left);
      now = gain;
      left = starts_left(limit, recent, now);
    }
    CHECK_FALSE(next_gain(limit, recent, now));
  }
}

TEST_CASE("when a task starts after others is foretold as it comes to be") {
  for (const RateLimit limit : {RateLimit{3, 60'000}, RateLimit{6, 60'000, 2}}) {
    CAPTURE(format_rate(limit));
    RecentStarts recent;
    const WallTime now{1'000'000};
    recent = after_start(limit, recent, now);
    RecentStarts later = recent;
    const Times times = starts(limit, later, now, 12);
    for (std::size_t others = 0; others < times.size(); ++others) {
      const auto n = static_cast<std::int64_t>(others);
      CAPTURE(n);
      // All of a window are told as if they had started when the last of it did.
      CHECK(std::abs(next_start(limit, recent, now, n).ms - times[others]) <=
            (limit.burst ? 0 : limit.per_ms));
    }
  }
}

TEST_CASE("a clock that is put back makes nobody wait for longer than the interval") {
  const RateLimit limit{2, 10'000};
  RecentStarts recent;
  starts(limit, recent, {5'000'000}, 2);
  CHECK(next_start(limit, recent, {1'000}) == WallTime{11'000});
  recent = after_rewind(limit, recent, {1'000});
  CHECK(next_start(limit, recent, {1'500}) == WallTime{11'000});
  const RateLimit paced{2, 10'000, 1};
  RecentStarts burst;
  starts(paced, burst, {5'000'000}, 1);
  CHECK(next_start(paced, after_rewind(paced, burst, {1'000}), {1'000}) == WallTime{6'000});
}

TEST_CASE("a lower limit counts what started under the one before") {
  RecentStarts recent;
  starts({5, 60'000}, recent, {1'000'000}, 5);
  CHECK(starts_left({2, 60'000}, recent, {1'000'000}) == 0);
  CHECK(next_start({2, 60'000}, recent, {1'000'000}) == WallTime{1'060'000});
  CHECK(starts_left({8, 60'000}, recent, {1'000'000}) == 3);
}

TEST_CASE("recent starts are kept as text, and text that is none is nothing") {
  RecentStarts recent;
  const RateLimit limit{3, 60'000};
  CHECK(to_stored(recent.groups).empty());
  recent = after_start(limit, after_start(limit, recent, {1'000}), {1'500});
  CHECK(to_stored(recent.groups) == "1500:1 1000:1");
  CHECK(groups_from_stored("1500:1 1000:1") == recent.groups);
  for (const char* bad : {"x", "1500", "1500:", ":1", "1500:0", "1500:1,1000:1", "1500:1 x"}) {
    CAPTURE(bad);
    CHECK(groups_from_stored(bad).empty());
  }
}

TEST_CASE("a rate is written as a count and a time, and perhaps a burst") {
  CHECK(parse_rate("10/1m") == RateLimit{10, 60'000});
  CHECK(parse_rate("5/s") == RateLimit{5, 1000});
  CHECK(parse_rate("1/90s") == RateLimit{1, 90'000});
  CHECK(parse_rate("10/1m,burst=2") == RateLimit{10, 60'000, 2});
  CHECK(format_rate({10, 60'000}) == "10/1m");
  CHECK(format_rate({10, 60'000, 2}) == "10/1m,burst=2");
  for (const char* bad : {"", "10", "/", "10/", "/1m", "0/1m", "-1/1m", "10/0", "1.5/m", "10/1x",
                          "10/1m/2", "1000001/s", "1/400d", "10/1m,", "10/1m,2", "10/1m,burst=",
                          "10/1m,burst=0", "10/1m,burst=11", "10/1m,burst=2,burst=3"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_rate(bad));
  }
}

}  // namespace
}  // namespace taskd
