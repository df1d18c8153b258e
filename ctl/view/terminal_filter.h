// Makes a job's output safe for a terminal: passes colours (SGR sequences) and shows every other
// control character instead of executing it. A line that is rewritten with carriage returns, as by
// ffmpeg, curl and rsync, shows its last state. Works on pieces of any size.
#pragma once

#include <string>
#include <string_view>

namespace taskd::ctl {

class TerminalFilter {
 public:
  // Without `colors`, drops SGR sequences. `erases`: the terminal can erase a line; otherwise each
  // state of a rewritten line goes on a new line.
  explicit TerminalFilter(bool colors, bool erases = true) : colors_(colors), erases_(erases) {}
  // Returns what may be shown after these bytes; keeps incomplete characters and sequences for
  // later.
  std::string feed(std::string_view bytes);
  // Returns the rest, and resets colours if necessary.
  std::string finish();

 private:
  // Takes one unit off the front of `rest`; returns false if it is incomplete.
  bool take(std::string_view& rest, std::string& out, bool at_end);
  bool take_escape(std::string_view& rest, std::string& out, bool at_end);
  // What follows replaces the current line.
  void rewrite_line(std::string& out);

  bool colors_;
  bool erases_;
  bool returned_ = false;   // the last byte was a carriage return
  bool has_shown_ = false;  // part of the current line was returned before
  bool colored_ = false;    // the last sequence was not a reset
  std::string kept_;
};

// Each line of `text` as a terminal would show it in the end: what follows its last carriage
// return.
std::string last_states(std::string_view text);

}  // namespace taskd::ctl
