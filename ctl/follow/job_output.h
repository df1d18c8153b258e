// Passes a job's two streams to ours: unchanged, or made safe if ours is a terminal.
#pragma once

#include "ctl/base/context.h"
#include "ctl/follow/follow.h"
#include "ctl/view/terminal_filter.h"

namespace taskd::ctl {

class JobOutput {
 public:
  // `raw`: filter nothing, not even for a terminal. `colors`: let SGR sequences pass. TERM decides
  // whether the terminal can erase a line.
  JobOutput(Context& context, bool raw, bool colors);

  // Valid as long as this object. Preserves the order of writes to the two.
  ByteSink out_sink();
  ByteSink err_sink();
  // Shows what has arrived so far. Throws Failure as Output::flush() does.
  void flush();
  // Call at the end of both streams.
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

  Stream* last_ = nullptr;  // the stream written last
  Output stderr_;
  Stream out_;
  Stream err_;
};

}  // namespace taskd::ctl
