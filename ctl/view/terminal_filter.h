// Makes a job's output safe to show on a terminal: colours (SGR sequences) pass, every other
// control character is shown instead of obeyed. A line that is rewritten by carriage returns, as
// ffmpeg, curl and rsync do, shows its last state. Works on pieces of any size.
#pragma once

#include <string>
#include <string_view>

namespace taskd::ctl {

class TerminalFilter {
 public:
  // Without `colors` SGR sequences are left out. `erases`: the terminal knows how to erase a line
  // of which something was shown before; else each state of it comes on a line of its own.
  explicit TerminalFilter(bool colors, bool erases = true) : colors_(colors), erases_(erases) {}
  // What may be shown after these bytes; an unfinished character or sequence is kept for later.
  std::string feed(std::string_view bytes);
  // The rest, and a reset of the colours if one is needed.
  std::string finish();

 private:
  // Takes one unit off the front of `rest`; false when it is unfinished.
  bool take(std::string_view& rest, std::string& out, bool at_end);
  bool take_escape(std::string_view& rest, std::string& out, bool at_end);
  // What comes next stands in the place of the line so far.
  void rewrite_line(std::string& out);

  bool colors_;
  bool erases_;
  bool returned_ = false;   // a carriage return was the last to come
  bool has_shown_ = false;  // of the present line, in what was returned before
  bool colored_ = false;  // a sequence other than a reset was the last to pass
  std::string kept_;
};

// Each line of `text` as a terminal would be left with it: what follows its last carriage return.
std::string last_states(std::string_view text);

}  // namespace taskd::ctl
