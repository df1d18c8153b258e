#include "ctl/job_output.h"

#include <unistd.h>

namespace taskd::ctl {

JobOutput::JobOutput(Context& context, bool raw, bool colors)
    : stderr_(STDERR_FILENO),
      out_{context.out, TerminalFilter(colors), !raw && context.out.is_tty()},
      err_{stderr_, TerminalFilter(colors), !raw && stderr_.is_tty()} {}

void JobOutput::Stream::write(std::string_view bytes) {
  if (filtered)
    out.write(filter.feed(bytes));
  else
    out.write(bytes);
}

ByteSink JobOutput::out_sink() {
  return [this](std::string_view bytes) { out_.write(bytes); };
}

ByteSink JobOutput::err_sink() {
  return [this](std::string_view bytes) { err_.write(bytes); };
}

void JobOutput::flush() {
  out_.out.flush();
  err_.out.flush();
}

void JobOutput::finish() {
  for (Stream* const stream : {&out_, &err_}) {
    if (stream->filtered) stream->out.write(stream->filter.finish());
  }
  flush();
}

}  // namespace taskd::ctl
