#include "ctl/view/terminal_filter.h"

#include <algorithm>

#include "daemon/base/text.h"

namespace taskd::ctl {
namespace {

constexpr std::size_t kMaxSequence = 64;

// How many bytes at the end of `text` form an incomplete character.
std::size_t unfinished_tail(std::string_view text) {
  for (std::size_t back = 1; back <= std::min<std::size_t>(3, text.size()); ++back) {
    const auto byte = static_cast<unsigned char>(text[text.size() - back]);
    if ((byte & 0xC0) == 0x80) continue;
    const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return length > back ? back : 0;
  }
  return 0;
}

}  // namespace

std::string TerminalFilter::feed(std::string_view bytes) {
  const std::string all = std::move(kept_).append(bytes);
  kept_.clear();
  std::string_view rest = all;
  std::string out;
  while (!rest.empty() && take(rest, out, false)) {
  }
  kept_ = rest;
  const std::size_t line_end = out.rfind('\n');
  has_shown_ =
      line_end == std::string::npos ? has_shown_ || !out.empty() : line_end + 1 < out.size();
  return out;
}

std::string TerminalFilter::finish() {
  const std::string all = std::move(kept_);
  kept_.clear();
  std::string_view rest = all;
  std::string out;
  while (!rest.empty()) take(rest, out, true);
  if (colored_) out += "\x1b[0m";
  colored_ = false;
  return out;
}

bool TerminalFilter::take(std::string_view& rest, std::string& out, bool at_end) {
  if (rest.front() == '\r') {
    returned_ = true;
    rest.remove_prefix(1);
    return true;
  }
  if (returned_ && rest.front() != '\n') rewrite_line(out);
  returned_ = false;
  switch (rest.front()) {
    case '\n':
    case '\t':
    case '\\':
      out.push_back(rest.front());
      rest.remove_prefix(1);
      return true;
    case '\x1b':
      return take_escape(rest, out, at_end);
    default:
      break;
  }
  std::string_view run = rest.substr(0, rest.find_first_of("\n\t\\\x1b\r"));
  if (run.size() == rest.size() && !at_end) run.remove_suffix(unfinished_tail(run));
  out += escape_for_humans(run);
  rest.remove_prefix(run.size());
  return !run.empty();
}

void TerminalFilter::rewrite_line(std::string& out) {
  const std::size_t line = out.rfind('\n') + 1;  // npos + 1 = 0
  const bool was_shown = line == 0 && has_shown_;
  // Keeps the current colours.
  std::string colors;
  for (std::size_t at = line; (at = out.find('\x1b', at)) != std::string::npos; ++at) {
    const std::size_t end = out.find_first_of("mK", at);
    if (out[end] == 'm') colors.append(out, at, end + 1 - at);
    if (colors.ends_with("\x1b[0m") || colors.ends_with("\x1b[m")) colors = "\x1b[0m";
  }
  out.resize(line);
  if (was_shown) out += erases_ ? "\r\x1b[K" : "\n";
  out += colors;
}

// Passes ESC [ digits and ";" or ":" m; otherwise shows the ESC.
bool TerminalFilter::take_escape(std::string_view& rest, std::string& out, bool at_end) {
  const std::size_t end =
      rest.size() < 2 || rest[1] == '['
          ? rest.find_first_not_of("0123456789;:", std::min<std::size_t>(2, rest.size()))
          : 1;
  if (end == std::string_view::npos && rest.size() < kMaxSequence && !at_end) return false;
  if (end == std::string_view::npos || end > kMaxSequence || end == 1 || rest[end] != 'm') {
    out += "\\x1b";
    rest.remove_prefix(1);
    return true;
  }
  const std::string_view sequence = rest.substr(0, end + 1);
  if (colors_) {
    out += sequence;
    colored_ = sequence != "\x1b[m" && sequence != "\x1b[0m";
  }
  rest.remove_prefix(sequence.size());
  return true;
}

std::string last_states(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    while (line.ends_with('\r')) line.remove_suffix(1);
    out.append(line.substr(line.rfind('\r') + 1));  // npos + 1 = 0
    if (end < text.size()) out.push_back('\n');
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

}  // namespace taskd::ctl
