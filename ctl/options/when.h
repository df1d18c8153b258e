// Parses and formats times and durations for people. Local time follows TZ or /etc/localtime.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace taskd::ctl {

// The value of `flag` in milliseconds. Throws UsageError (64) that shows what a duration looks
// like.
std::int64_t duration_flag(std::string_view flag, std::string_view text);

// A point in time: RFC 3339; local "YYYY-MM-DD HH:MM[:SS]" (or with a T); or local "HH:MM[:SS]",
// the next one after `now`. Rejects a local time that a clock change skips; takes the first of one
// that occurs twice. Throws UsageError (64).
WallTime time_flag(std::string_view flag, std::string_view text, WallTime now);

// The start of a span that ends now: a duration ("2h": two hours ago) or a time as above, but
// "HH:MM" is the latest one.
WallTime since_flag(std::string_view flag, std::string_view text, WallTime now);

// "2026-03-01 12:00:00", local.
std::string format_local(WallTime time);
// At most two units: "250ms", "3.2s", "45s", "12m05s", "3h20m", "5d4h".
std::string format_span(std::int64_t ms);
// "3m10s ago", "in 2h", "now".
std::string format_relative(WallTime time, WallTime now);

}  // namespace taskd::ctl
