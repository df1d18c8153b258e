// How a rate limits starts: never more than `count` in any stretch of `per_ms`, wherever it begins.
// All of them may start together after a quiet time, unless the rate has a `burst`: then so many,
// and the next ones at the pace of the rate.
// Pure functions over what the caller keeps of recent starts. That is bounded: up to kMaxGroups
// starts are remembered one by one; of a larger count, those of one part of the interval count as
// if all had happened at its last one. So a limit is never exceeded, and the next start comes at
// most per_ms / kMaxGroups late.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/base/clock.h"
#include "daemon/task/rate_limit.h"

namespace taskd {

struct RecentStarts {
  static constexpr std::int64_t kMaxGroups = 128;

  struct Group {
    WallTime at;  // of the last of them
    std::int64_t count = 0;
    bool operator==(const Group&) const = default;
  };
  std::vector<Group> groups;  // the newest first
  // When a full burst may start again, in ns since 1970. Any time in the past: now.
  std::int64_t full_at_ns = 0;

  bool operator==(const RecentStarts&) const = default;
};

// When the next start may be, after so many others that are made as soon as they may be.
WallTime next_start(const RateLimit& limit, const RecentStarts& recent, WallTime now,
                    std::int64_t others = 0);
// How many may start at `now`, one after the other.
std::int64_t starts_left(const RateLimit& limit, const RecentStarts& recent, WallTime now);
// When that will be one more; nothing if it never is without a start.
std::optional<WallTime> next_gain(const RateLimit& limit, const RecentStarts& recent, WallTime now);
// After the clock was put back to `now`, or the limit changed: what is later than now counts as
// now, so that nobody waits for longer than an interval.
RecentStarts after_rewind(const RateLimit& limit, RecentStarts recent, WallTime now);
// After a start at `now`.
RecentStarts after_start(const RateLimit& limit, RecentStarts recent, WallTime now);

// As the store keeps the groups: "AT_MS:COUNT …", the newest first. Text that is none is nothing.
std::string to_stored(const std::vector<RecentStarts::Group>& groups);
std::vector<RecentStarts::Group> groups_from_stored(std::string_view text);

}  // namespace taskd
