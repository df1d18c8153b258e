// Text forms shared by the daemon and taskctl: durations, timestamps, sizes, and the escaping that
// makes foreign text safe to show on a terminal or in a log line. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace taskd {

inline constexpr std::int64_t kMaxDurationMs = 3650LL * 24 * 3600 * 1000;  // 10 years

// "90s", "15m", "1h30m", "250ms", "2d", "0"; a bare number means seconds. Units d, h, m, s, ms, in
// falling order, each at most once. Empty on anything else, and over kMaxDurationMs.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// The largest units first, zeros left out, exact: 5400000 -> "1h30m", 0 -> "0". What
// parse_duration_ms accepts comes back from this unchanged in value.
std::string format_duration_ms(std::int64_t ms);

// "65536", "512KiB", "64M", "1GiB", "2T": bytes, in powers of 1024. Empty on anything else.
std::optional<std::int64_t> parse_size_bytes(std::string_view text);

// RFC 3339 with a zone ("Z" or an offset) and up to nanoseconds, years 1970 to 9999; leap seconds,
// impossible dates and missing zones are refused.
std::optional<WallTime> parse_rfc3339(std::string_view text);
// "2026-03-01T12:00:00.000Z"; before the year 0 and after 9999 the nearest time that has four
// digits.
std::string format_rfc3339(WallTime time);

// A decimal integer without tricks: optional '-', no '+', no "-0", no leading zeros, no blanks.
std::optional<std::int64_t> parse_int(std::string_view text);

bool is_valid_utf8(std::string_view text);

// Makes `text` safe for a terminal or a log line: C0, DEL, C1, bidirectional overrides, zero-width
// characters and broken UTF-8 come out as \n, \t, \xNN or \u{NNNN}; a backslash as "\\".
std::string escape_for_humans(std::string_view text);

// The same with backslashes as they are: for a table, and a sentence whose parts are escaped.
std::string escape_for_table(std::string_view text);

// JSON text, with what cannot be seen or steers a terminal (as above) written as \u escapes.
std::string escape_json(std::string_view json);

// Foreign text as a message shows it: safe, in quotes, and of a long one the beginning.
std::string in_quotes(std::string_view text);

// True when `text` is not changed by escape_for_humans() but for backslashes: fit for a name.
bool is_plain_text(std::string_view text);

// `text` as one shell word: quoted only where it must be, and plain text whatever is in it. What
// cannot be seen, or is not UTF-8, comes out as in $'caf\351\n'.
std::string shell_quote(std::string_view text);

std::string to_hex(std::string_view bytes);

// How many single bytes must be added, left out or replaced to turn one into the other
// (Levenshtein). Takes time in proportion to the product of the sizes.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace taskd
