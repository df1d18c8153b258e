// Passes a job's two streams on to ours: exactly as they are, or made safe where ours is a
// terminal.
#pragma once

#include "ctl/base/context.h"
#include "ctl/follow/follow.h"
#include "ctl/view/terminal_filter.h"

namespace taskd::ctl {

class JobOutput {
 public:
  // `raw`: nothing is filtered, not even for a terminal. `colors`: SGR sequences pass the filter.
  // TERM says whether the terminal can erase a line.
  JobOutput(Context& context, bool raw, bool colors);

  // Valid as long as this object. What goes to one comes after all that went to the other before.
  ByteSink out_sink();
  ByteSink err_sink();
  // Shows what has come so far. Throws Failure as Output::flush() does.
  void flush();
  // The end of both streams.
  void finish();

 private:
  JobOutput(Context& context, bool raw, const TerminalFilter& filter);

  struct Stream {
    Output& out;
    TerminalFilter filter;
    bool filtered;
    void write(std::string_view bytes);
  };

  void write(Stream& to, Stream& other, std::string_view bytes);

  Stream* last_ = nullptr;  // that was written to
  Output stderr_;
  Stream out_;
  Stream err_;
};

}  // namespace taskd::ctl
