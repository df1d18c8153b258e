#include "daemon/limits/recent_starts.h"

#include <algorithm>

#include "daemon/base/text.h"

namespace taskd {
namespace {

constexpr std::int64_t kNsPerMs = 1'000'000;

// --- the burst: a token bucket that the rate refills ---------------------------------------------

std::int64_t interval_ns(const RateLimit& limit) {
  return limit.per_ms * kNsPerMs;
}

// What one start costs. Rounded up, so that the rate is never exceeded in the long run.
std::int64_t token_ns(const RateLimit& limit) {
  return (interval_ns(limit) + limit.count - 1) / limit.count;
}

// How long a whole burst takes to refill.
std::int64_t burst_ns(const RateLimit& limit) {
  return limit.burst.value_or(limit.count) * token_ns(limit);
}

std::int64_t missing_ns(const RateLimit& limit, const RecentStarts& recent, WallTime now) {
  return std::clamp<std::int64_t>(recent.full_at_ns - now.ms * kNsPerMs, 0, burst_ns(limit));
}

// When the bucket holds `tokens`.
WallTime when_tokens(const RateLimit& limit, const RecentStarts& recent, WallTime now,
                     std::int64_t tokens) {
  const std::int64_t wait_ns =
      missing_ns(limit, recent, now) - (burst_ns(limit) - tokens * token_ns(limit));
  return wait_ns <= 0 ? now : now + (wait_ns + kNsPerMs - 1) / kNsPerMs;
}

std::int64_t tokens_left(const RateLimit& limit, const RecentStarts& recent, WallTime now) {
  return (burst_ns(limit) - missing_ns(limit, recent, now)) / token_ns(limit);
}

// --- the window ----------------------------------------------------------------------------------

// When starts at that time stop counting.
WallTime leaves_at(const RateLimit& limit, const RecentStarts::Group& group, WallTime now) {
  return std::min(group.at, now) + limit.per_ms;
}

std::int64_t window_left(const RateLimit& limit, const RecentStarts& recent, WallTime now) {
  std::int64_t left = limit.count;
  for (const auto& group : recent.groups) {
    if (leaves_at(limit, group, now) > now) left -= group.count;
  }
  return std::max<std::int64_t>(left, 0);
}

// When the window has room for the last of `starts`: once all but the newest have left it.
WallTime when_room(const RateLimit& limit, const RecentStarts& recent, WallTime now,
                   std::int64_t starts) {
  if (starts > limit.count) {  // the first of them have to leave it, too
    const std::int64_t rounds = (starts - 1) / limit.count;
    return when_room(limit, recent, now, starts - rounds * limit.count) + rounds * limit.per_ms;
  }
  std::int64_t room = limit.count;
  for (const auto& group : recent.groups) {
    room -= group.count;
    if (room < starts) return std::max(now, leaves_at(limit, group, now));
  }
  return now;
}

// When the last of this many starts may happen, each as early as possible.
WallTime when_starts(const RateLimit& limit, const RecentStarts& recent, WallTime now,
                     std::int64_t starts) {
  const WallTime room = when_room(limit, recent, now, starts);
  return limit.burst ? std::max(room, when_tokens(limit, recent, now, starts)) : room;
}

// Whether a start at `now` belongs to the newest group.
bool shares_group(const RateLimit& limit, const RecentStarts& recent, WallTime now) {
  if (recent.groups.empty()) return false;
  const WallTime newest = recent.groups.front().at;
  if (newest == now) return true;
  const std::int64_t part_ms = std::max<std::int64_t>(limit.per_ms / RecentStarts::kMaxGroups, 1);
  return limit.count > RecentStarts::kMaxGroups && newest.ms / part_ms == now.ms / part_ms;
}

}  // namespace

WallTime next_start(const RateLimit& limit, const RecentStarts& recent, WallTime now,
                    std::int64_t others) {
  return when_starts(limit, recent, now, others + 1);
}

std::int64_t starts_left(const RateLimit& limit, const RecentStarts& recent, WallTime now) {
  const std::int64_t left = window_left(limit, recent, now);
  return limit.burst ? std::min(left, tokens_left(limit, recent, now)) : left;
}

std::optional<WallTime> next_gain(const RateLimit& limit, const RecentStarts& recent,
                                  WallTime now) {
  const std::int64_t left = starts_left(limit, recent, now);
  if (left >= limit.burst.value_or(limit.count)) return std::nullopt;
  return when_starts(limit, recent, now, left + 1);
}

RecentStarts after_rewind(const RateLimit& limit, RecentStarts recent, WallTime now) {
  for (auto& group : recent.groups) group.at = std::min(group.at, now);
  recent.full_at_ns = std::min(recent.full_at_ns, now.ms * kNsPerMs + burst_ns(limit));
  return recent;
}

RecentStarts after_start(const RateLimit& limit, RecentStarts recent, WallTime now) {
  recent.full_at_ns = now.ms * kNsPerMs + missing_ns(limit, recent, now) + token_ns(limit);
  std::erase_if(recent.groups,
                [&](const auto& group) { return leaves_at(limit, group, now) <= now; });
  if (!shares_group(limit, recent, now)) recent.groups.insert(recent.groups.begin(), {now, 0});
  recent.groups.front().at = now;
  ++recent.groups.front().count;
  return recent;
}

std::string to_stored(const std::vector<RecentStarts::Group>& groups) {
  std::string text;
  for (const auto& group : groups) {
    if (!text.empty()) text += ' ';
    text += std::to_string(group.at.ms) + ':' + std::to_string(group.count);
  }
  return text;
}

std::vector<RecentStarts::Group> groups_from_stored(std::string_view text) {
  std::vector<RecentStarts::Group> groups;
  while (!text.empty()) {
    const std::string_view one = text.substr(0, text.find(' '));
    const std::size_t colon = one.find(':');
    if (colon == std::string_view::npos) return {};
    const auto at_ms = parse_int(one.substr(0, colon));
    const auto count = parse_int(one.substr(colon + 1));
    if (!at_ms || !count || *count < 1) return {};
    groups.push_back({{*at_ms}, *count});
    text.remove_prefix(std::min(one.size() + 1, text.size()));
  }
  return groups;
}

}  // namespace taskd
