// The rate limiter: never more than `count` starts in any window of `per_ms`. After a quiet time
// all of them may start together, unless the rate has a `burst`: then only that many start
// together, and the others follow at the pace of the rate.
//
// Pure functions on a history of recent starts that the caller keeps. The history is bounded: up to
// kMaxGroups starts are remembered individually. For a larger count, the starts of one part of the
// interval count as if all happened at the time of the last one. So the limit is never exceeded,
// and the next start is late by at most per_ms / kMaxGroups.
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
    WallTime at;  // of the last start in the group
    std::int64_t count = 0;
    bool operator==(const Group&) const = default;
  };
  std::vector<Group> groups;  // newest first
  // When a full burst may start again, in ns since 1970. In the past: now.
  std::int64_t full_at_ns = 0;

  bool operator==(const RecentStarts&) const = default;
};

// When the next start is allowed, if `others` starts come first, each as early as possible.
WallTime next_start(const RateLimit& limit, const RecentStarts& recent, WallTime now,
                    std::int64_t others = 0);
// How many tasks may start at `now`.
std::int64_t starts_left(const RateLimit& limit, const RecentStarts& recent, WallTime now);
// When starts_left() next increases; nothing if it cannot increase without a start.
std::optional<WallTime> next_gain(const RateLimit& limit, const RecentStarts& recent, WallTime now);
// For a clock that was set back to `now`, or a changed limit: starts later than now count as now,
// so that nobody waits for longer than one interval.
RecentStarts after_rewind(const RateLimit& limit, RecentStarts recent, WallTime now);
// Adds a start at `now`.
RecentStarts after_start(const RateLimit& limit, RecentStarts recent, WallTime now);

// The stored form: "AT_MS:COUNT …", newest first. Unreadable text yields no groups.
std::string to_stored(const std::vector<RecentStarts::Group>& groups);
std::vector<RecentStarts::Group> groups_from_stored(std::string_view text);

}  // namespace taskd
