// Makes a job's output safe to show on a terminal: colours (SGR sequences) pass, every other
// control character is shown instead of obeyed. Works on pieces of any size.
#pragma once

#include <string>
#include <string_view>

namespace taskd::ctl {

class TerminalFilter {
 public:
  // Without `colors` SGR sequences are left out.
  explicit TerminalFilter(bool colors) : colors_(colors) {}
  // What may be shown after these bytes; an unfinished character or sequence is kept for later.
  std::string feed(std::string_view bytes);
  // The rest, and a reset of the colours if one is needed.
  std::string finish();

 private:
  // Takes one unit off the front of `rest`; false when it is unfinished.
  bool take(std::string_view& rest, std::string& out, bool at_end);
  bool take_escape(std::string_view& rest, std::string& out, bool at_end);

  bool colors_;
  bool colored_ = false;  // a sequence other than a reset was the last to pass
  std::string kept_;
};

}  // namespace taskd::ctl
