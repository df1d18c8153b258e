#include "daemon/task/array_range.h"

#include "daemon/base/text.h"

namespace taskd {
namespace {

// Cuts the last `mark` and the text after it off, and returns that text; nothing without a mark.
std::optional<std::string_view> cut_behind(std::string_view& text, char mark) {
  const std::size_t at = text.rfind(mark);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view behind = text.substr(at + 1);
  text = text.substr(0, at);
  return behind;
}

// Returns false if there is text that is not a number from 1 to `most`.
bool read_positive(std::optional<std::string_view> text, std::int64_t most, std::int64_t& out) {
  if (!text) return true;
  const auto number = parse_int(*text);
  if (!number || *number < 1 || *number > most) return false;
  out = *number;
  return true;
}

}  // namespace

std::optional<ArrayRange> parse_array_range(std::string_view text) {
  ArrayRange range;
  std::int64_t at_once = 0;
  if (!read_positive(cut_behind(text, '%'), kMaxArrayTasks, at_once)) return std::nullopt;
  range.at_once = static_cast<int>(at_once);
  if (!read_positive(cut_behind(text, ':'), kMaxArrayIndex, range.step)) return std::nullopt;
  const std::size_t dash = std::min(text.find('-'), text.size());
  const auto first = parse_int(text.substr(0, dash));
  const auto last = dash == text.size() ? first : parse_int(text.substr(dash + 1));
  if (!first || !last || *first < 0 || *last < *first) return std::nullopt;
  range.first = *first;
  range.last = *last;
  return range;
}

}  // namespace taskd
