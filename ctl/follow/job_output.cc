#include "ctl/follow/job_output.h"

#include <unistd.h>

namespace taskd::ctl {

JobOutput::JobOutput(Context& context, bool raw, bool colors)
    : JobOutput(context, raw, TerminalFilter(colors, !is_dumb(context.env.get("TERM")))) {}

JobOutput::JobOutput(Context& context, bool raw, const TerminalFilter& filter)
    : stderr_(STDERR_FILENO),
      out_{context.out, filter, !raw && context.out.is_tty()},
      err_{stderr_, filter, !raw && stderr_.is_tty()} {}

void JobOutput::Stream::write(std::string_view bytes) {
  if (filtered)
    out.write(filter.feed(bytes));
  else
    out.write(bytes);
}

ByteSink JobOutput::out_sink() {
  return [this](std::string_view bytes) { write(out_, err_, bytes); };
}

ByteSink JobOutput::err_sink() {
  return [this](std::string_view bytes) { write(err_, out_, bytes); };
}

void JobOutput::write(Stream& to, Stream& other, std::string_view bytes) {
  if (last_ == &other) other.out.flush();
  last_ = &to;
  to.write(bytes);
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
