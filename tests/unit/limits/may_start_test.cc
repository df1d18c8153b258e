#include "daemon/limits/may_start.h"

#include <doctest/doctest.h>

namespace taskd {
namespace {

constexpr WallTime kNow{1'000'000};
const RateLimit kTwoPerSecond{2, 1000};

RecentStarts starts_before(int count) {
  RecentStarts starts;
  for (int i = 0; i < count; ++i) starts = after_start(kTwoPerSecond, std::move(starts), kNow);
  return starts;
}

TEST_CASE("a queue is held up by its pause, then by its concurrency, then by its rate") {
  QueueInfo queue;
  CHECK_FALSE(find_queue_limit(queue, {}, kNow));
  queue.settings.rate = kTwoPerSecond;
  CHECK_FALSE(find_queue_limit(queue, starts_before(1), kNow));
  const auto rate = find_queue_limit(queue, starts_before(2), kNow);
  REQUIRE(rate);
  CHECK(rate->kind == QueueLimit::Kind::rate);
  CHECK(rate->until == kNow + 1000);
  queue.settings.concurrency = 1;
  CHECK(find_queue_limit(queue, starts_before(2), kNow)->kind == QueueLimit::Kind::rate);
  queue.count(State::running) = 1;
  CHECK(find_queue_limit(queue, starts_before(2), kNow)->kind == QueueLimit::Kind::concurrency);
  queue.paused = QueuePause{};
  CHECK(find_queue_limit(queue, starts_before(2), kNow)->kind == QueueLimit::Kind::paused);
}

TEST_CASE("a key allows what both its concurrency and its rate leave") {
  const auto allowed = [](std::optional<int> concurrency, int running, int started) {
    return key_allowance(concurrency, running, kTwoPerSecond, starts_before(started), kNow);
  };
  CHECK(key_allowance(3, 1, {}, {}, kNow).starts == 2);
  CHECK(key_allowance(3, 5, {}, {}, kNow).starts == 0);
  CHECK(allowed(1, 0, 0).starts == 1);
  CHECK_FALSE(allowed(1, 0, 0).by_rate);
  CHECK(allowed(5, 1, 1).starts == 1);
  CHECK(allowed(5, 1, 1).by_rate);
  CHECK(allowed({}, 2, 2).starts == 0);
  CHECK(allowed({}, 2, 2).more_at == kNow + 1000);
}

}  // namespace
}  // namespace taskd
