// Text formats shared by the daemon and taskctl: durations, timestamps, sizes, and the escaping
// that makes foreign text safe on a terminal or in a log line. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/base/clock.h"

namespace taskd {

inline constexpr std::int64_t kMaxDurationMs = 3650LL * 24 * 3600 * 1000;  // 10 years

// "90s", "15m", "1h30m", "250ms", "2d", "0"; a bare number means seconds. Units are d, h, m, s, ms,
// in descending order, each at most once. Returns nothing for other text and above kMaxDurationMs.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// Exact, largest units first, zeros omitted: 5400000 -> "1h30m", 0 -> "0". parse_duration_ms()
// reads it back as the same value.
std::string format_duration_ms(std::int64_t ms);

// Bytes, in powers of 1024: "65536", "512KiB", "64M", "1GiB", "2T". Returns nothing for other text.
std::optional<std::int64_t> parse_size_bytes(std::string_view text);

// RFC 3339 with a zone ("Z" or an offset), up to nanoseconds, years 1970 to 9999. Rejects leap
// seconds, impossible dates and missing zones.
std::optional<WallTime> parse_rfc3339(std::string_view text);
// "2026-03-01T12:00:00.000Z". Times outside the years 0 to 9999 are clamped.
std::string format_rfc3339(WallTime time);

// A plain decimal integer: optional '-', but no '+', "-0", leading zeros or blanks.
std::optional<std::int64_t> parse_int(std::string_view text);

bool is_valid_utf8(std::string_view text);

// Makes `text` safe for a terminal or a log line. Escapes C0, DEL, C1, bidirectional overrides,
// zero-width characters and broken UTF-8 as
// , \t, \xNN or \u{NNNN}, and backslashes as "\\".
std::string escape_for_humans(std::string_view text);

// Like escape_for_humans(), but keeps backslashes: for tables, and for sentences whose parts are
// already escaped.
std::string escape_for_table(std::string_view text);

// Rewrites invisible and terminal control characters (as above) in JSON text as \u escapes.
std::string escape_json(std::string_view json);

// Foreign text for a message: escaped, in quotes, and cut if it is long.
std::string in_quotes(std::string_view text);

// Whether escape_for_humans() changes nothing in `text` except backslashes. Required of names.
bool is_plain_text(std::string_view text);

// `text` as one shell word, quoted only if necessary. The result is always plain text: invisible
// characters and invalid UTF-8 become $'caf\351
// '.
std::string shell_quote(std::string_view text);

std::string to_hex(std::string_view bytes);

// Levenshtein distance in bytes. Takes time proportional to the product of the sizes.
std::size_t edit_distance(std::string_view a, std::string_view b);

}  // namespace taskd
