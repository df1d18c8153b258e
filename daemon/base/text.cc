#include "daemon/base/text.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

#include "daemon/base/ascii.h"

namespace taskd {
namespace {

// Takes decimal digits off the front of `text`. Empty if there are none or too many.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  if (text.empty() || !is_digit(text.front())) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr Unit kUnits[] = {
    {"d", 86'400'000}, {"h", 3'600'000}, {"m", 60'000}, {"s", 1000}, {"ms", 1}};

// Exactly `count` digits at `at`, or -1.
int digits_at(std::string_view text, std::size_t at, std::size_t count) {
  if (text.size() < at + count) return -1;
  int value = 0;
  for (const char c : text.substr(at, count)) {
    if (!is_digit(c)) return -1;
    value = value * 10 + (c - '0');
  }
  return value;
}

// Takes ".123456789" off the front, as whole milliseconds. Empty if malformed.
std::optional<int> take_fraction_ms(std::string_view& text) {
  if (text.empty() || text.front() != '.') return 0;
  text.remove_prefix(1);
  int ms = 0;
  std::size_t count = 0;
  for (; count < text.size() && is_digit(text[count]); ++count) {
    if (count < 3) ms = ms * 10 + (text[count] - '0');
  }
  if (count == 0 || count > 9) return std::nullopt;
  for (std::size_t i = count; i < 3; ++i) ms *= 10;
  text.remove_prefix(count);
  return ms;
}

// The whole of `text` as "Z" or "+HH:MM", in minutes.
std::optional<int> parse_zone_minutes(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  const int hours = digits_at(text, 1, 2);
  const int minutes = digits_at(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 60 + minutes);
}

// The first character of `text`: code point and length. Empty unless the bytes are the valid
// encoding of a Unicode scalar value.
struct Decoded {
  char32_t code_point;
  std::size_t length;
};
std::optional<Decoded> decode_utf8(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return Decoded{first, 1};
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return std::nullopt;
  char32_t code_point = first & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return std::nullopt;
    code_point = (code_point << 6) | (byte(i) & 0x3Fu);
  }
  constexpr char32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
  if (code_point < kSmallest[length] || code_point > 0x10FFFF || surrogate) return std::nullopt;
  return Decoded{code_point, length};
}

// Characters that are invisible, reorder their neighbours, or control a terminal.
constexpr std::pair<char32_t, char32_t> kUnsafe[] = {
    {0x0000, 0x001F},    // C0
    {0x007F, 0x009F},    // DEL and C1
    {0x00AD, 0x00AD},    // soft hyphen
    {0x061C, 0x061C},    // Arabic letter mark
    {0x180E, 0x180E},    // Mongolian vowel separator
    {0x200B, 0x200F},    // zero-width and direction marks
    {0x2028, 0x202E},    // line and paragraph separators, embeddings and overrides
    {0x2060, 0x206F},    // word joiner, invisible operators, isolates
    {0xFEFF, 0xFEFF},    // byte order mark
    {0xFFF9, 0xFFFB},    // interlinear annotations
    {0xE0000, 0xE007F},  // tags
};

bool is_unsafe(char32_t code_point) {
  if (code_point >= 0x20 && code_point < 0x7F) return false;
  for (const auto& [first, last] : kUnsafe) {
    if (code_point >= first && code_point <= last) return true;
  }
  return false;
}

void append_escaped(std::string& out, const char* format, unsigned value) {
  std::array<char, 16> buffer;
  const int length = std::snprintf(buffer.data(), buffer.size(), format, value);
  out.append(buffer.data(), static_cast<std::size_t>(length));
}

bool is_shell_safe(char c) {
  return is_letter_or_digit(c) || std::string_view("_@%+=:,./-").find(c) != std::string_view::npos;
}

// "NAME=…": as a first word, the shell would take it as an assignment.
bool looks_like_assignment(std::string_view text) {
  const std::size_t name_end = text.find('=');
  if (name_end == std::string_view::npos || name_end == 0 || is_digit(text[0])) return false;
  for (const char c : text.substr(0, name_end)) {
    if (!is_letter_or_digit(c) && c != '_') return false;
  }
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_duration_ms(std::string_view text) {
  if (text.empty()) return std::nullopt;
  const bool bare = text.find_first_not_of("0123456789") == std::string_view::npos;
  std::int64_t total = 0;
  std::size_t next_unit = 0;  // units before this one are used up
  while (!text.empty()) {
    const auto number = take_number(text);
    if (!number || *number > kMaxDurationMs) return std::nullopt;
    const std::size_t name_length = std::min(text.find_first_of("0123456789"), text.size());
    const std::string_view name = bare ? "s" : text.substr(0, name_length);
    while (next_unit < std::size(kUnits) && kUnits[next_unit].name != name) ++next_unit;
    if (next_unit == std::size(kUnits)) return std::nullopt;
    const std::int64_t unit_ms = kUnits[next_unit++].ms;
    if (*number > (kMaxDurationMs - total) / unit_ms) return std::nullopt;
    total += *number * unit_ms;
    text.remove_prefix(name_length);
  }
  return total;
}

std::optional<std::int64_t> parse_size_bytes(std::string_view text) {
  constexpr std::pair<std::string_view, int> kSizes[] = {
      {"", 0}, {"K", 10}, {"M", 20}, {"G", 30}, {"T", 40}};
  const auto number = take_number(text);
  if (!number) return std::nullopt;
  if (text.size() == 3 && text.ends_with("iB")) text.remove_suffix(2);
  for (const auto& [name, bits] : kSizes) {
    if (text != name) continue;
    if (*number > std::numeric_limits<std::int64_t>::max() >> bits) return std::nullopt;
    return *number << bits;
  }
  return std::nullopt;
}

std::string format_duration_ms(std::int64_t ms) {
  if (ms == 0) return "0";
  std::string out = ms < 0 ? "-" : "";
  auto rest = ms < 0 ? ~static_cast<std::uint64_t>(ms) + 1 : static_cast<std::uint64_t>(ms);
  for (const Unit& unit : kUnits) {
    const auto unit_ms = static_cast<std::uint64_t>(unit.ms);
    if (rest >= unit_ms) out.append(std::to_string(rest / unit_ms)).append(unit.name);
    rest %= unit_ms;
  }
  return out;
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  using namespace std::chrono;
  constexpr std::size_t kSecondsEnd = 19;  // of "2026-03-01T12:00:00"
  if (text.size() <= kSecondsEnd) return std::nullopt;
  if (text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return std::nullopt;
  if (text[10] != 'T' && text[10] != 't') return std::nullopt;
  const int year_number = digits_at(text, 0, 4);
  const int month_number = digits_at(text, 5, 2);
  const int day_number = digits_at(text, 8, 2);
  const int hour = digits_at(text, 11, 2);
  const int minute = digits_at(text, 14, 2);
  const int second = digits_at(text, 17, 2);
  if (year_number < 1970 || month_number < 0 || day_number < 0) return std::nullopt;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59)
    return std::nullopt;
  const year_month_day date{year(year_number), month(static_cast<unsigned>(month_number)),
                            day(static_cast<unsigned>(day_number))};
  if (!date.ok()) return std::nullopt;

  text.remove_prefix(kSecondsEnd);
  const auto fraction_ms = take_fraction_ms(text);
  const auto zone_minutes = fraction_ms ? parse_zone_minutes(text) : std::nullopt;
  if (!zone_minutes) return std::nullopt;
  const std::int64_t days = sys_days(date).time_since_epoch().count();
  const std::int64_t minutes = days * 1440 + hour * 60 + minute - *zone_minutes;
  const std::int64_t ms = (minutes * 60 + second) * 1000 + *fraction_ms;
  constexpr std::int64_t kYear10000Ms = 253'402'300'800'000;
  if (ms < 0 || ms >= kYear10000Ms) return std::nullopt;
  return WallTime{ms};
}

std::string format_rfc3339(WallTime time) {
  using namespace std::chrono;
  constexpr std::int64_t kYear0Ms = -62'167'219'200'000;
  constexpr std::int64_t kYear9999EndMs = 253'402'300'799'999;
  const sys_time<milliseconds> instant{milliseconds(std::clamp(time.ms, kYear0Ms, kYear9999EndMs))};
  const auto midnight = floor<days>(instant);
  const year_month_day date{midnight};
  const hh_mm_ss clock{instant - midnight};
  std::string out = "0000-00-00T00:00:00.000Z";
  const auto put = [&out](std::size_t end, std::int64_t number) {
    for (; number > 0; number /= 10) out[--end] = static_cast<char>('0' + number % 10);
  };
  put(4, static_cast<int>(date.year()));
  put(7, static_cast<unsigned>(date.month()));
  put(10, static_cast<unsigned>(date.day()));
  put(13, clock.hours().count());
  put(16, clock.minutes().count());
  put(19, clock.seconds().count());
  put(23, clock.subseconds().count());
  return out;
}

std::optional<std::int64_t> parse_int(std::string_view text) {
  const std::string_view digits = text.substr(text.starts_with('-') ? 1 : 0);
  if (digits.empty() || !is_digit(digits[0])) return std::nullopt;
  if (digits[0] == '0' && text != "0") return std::nullopt;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto decoded = decode_utf8(text);
    if (!decoded) return false;
    text.remove_prefix(decoded->length);
  }
  return true;
}

namespace {

std::string escape(std::string_view text, bool doubles_backslashes) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const auto decoded = decode_utf8(text);
    const std::size_t length = decoded ? decoded->length : 1;
    if (!decoded) {
      append_escaped(out, "\\x%02x", static_cast<unsigned char>(text[0]));
    } else if (decoded->code_point == '\\' && doubles_backslashes) {
      out += "\\\\";
    } else if (decoded->code_point == '\n') {
      out += "\\n";
    } else if (decoded->code_point == '\t') {
      out += "\\t";
    } else if (is_unsafe(decoded->code_point)) {
      const auto value = static_cast<unsigned>(decoded->code_point);
      append_escaped(out, value < 0x80 ? "\\x%02x" : "\\u{%04x}", value);
    } else {
      out.append(text.substr(0, length));
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace

std::string escape_for_humans(std::string_view text) {
  return escape(text, /*doubles_backslashes=*/true);
}

std::string escape_for_table(std::string_view text) {
  return escape(text, /*doubles_backslashes=*/false);
}

std::string escape_json(std::string_view json) {
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const auto decoded = decode_utf8(json);
    const std::size_t length = decoded ? decoded->length : 1;
    // Line ends and tabs occur only between tokens.
    const bool is_blank = json[0] == '\n' || json[0] == '\t' || json[0] == '\r';
    if (!decoded || is_blank || !is_unsafe(decoded->code_point)) {
      out.append(json.substr(0, length));
    } else if (decoded->code_point < 0x10000) {
      append_escaped(out, "\\u%04x", static_cast<unsigned>(decoded->code_point));
    } else {
      const auto rest = static_cast<unsigned>(decoded->code_point) - 0x10000;
      append_escaped(out, "\\u%04x", 0xD800 + (rest >> 10));
      append_escaped(out, "\\u%04x", 0xDC00 + (rest & 0x3FF));
    }
    json.remove_prefix(length);
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t kMaxBytes = 100;
  std::string safe = escape_for_humans(text.substr(0, kMaxBytes));
  if (text.size() > kMaxBytes) safe += "…";
  return '"' + safe + '"';
}

bool is_plain_text(std::string_view text) {
  while (!text.empty()) {
    const auto decoded = decode_utf8(text);
    if (!decoded || is_unsafe(decoded->code_point)) return false;
    text.remove_prefix(decoded->length);
  }
  return true;
}

namespace {

std::string ansi_c_quote(std::string_view text) {
  std::string out = "$'";
  while (!text.empty()) {
    const auto decoded = decode_utf8(text);
    const std::size_t length = decoded ? decoded->length : 1;
    if (text[0] == '\n' || text[0] == '\t') {
      out += text[0] == '\n' ? "\\n" : "\\t";
    } else if (text[0] == '\'' || text[0] == '\\') {
      out.append(1, '\\').append(1, text[0]);
    } else if (decoded && !is_unsafe(decoded->code_point)) {
      out.append(text.substr(0, length));
    } else {
      for (const char c : text.substr(0, length))
        append_escaped(out, "\\%03o", static_cast<unsigned char>(c));
    }
    text.remove_prefix(length);
  }
  return out += '\'';
}

}  // namespace

std::string shell_quote(std::string_view text) {
  bool safe = !text.empty() && !looks_like_assignment(text);
  for (const char c : text) safe = safe && is_shell_safe(c);
  if (safe) return std::string(text);
  if (!is_plain_text(text)) return ansi_c_quote(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'') {
      out += "'\\''";
    } else {
      out += c;
    }
  }
  return out += '\'';
}

std::string to_hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 0xF];
  }
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  // Edit distances from a prefix of a to each prefix of b: for this prefix, the previous one, and
  // the one before.
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  std::vector<std::size_t> last(row.size());
  std::vector<std::size_t> before_last(row.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::swap(before_last, last);
    std::swap(last, row);
    row[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      row[j + 1] = std::min({last[j] + (a[i] == b[j] ? 0 : 1), row[j] + 1, last[j + 1] + 1});
      const bool swapped = i > 0 && j > 0 && a[i] == b[j - 1] && a[i - 1] == b[j];
      if (swapped) row[j + 1] = std::min(row[j + 1], before_last[j - 1] + 1);
    }
  }
  return row.back();
}

}  // namespace taskd
