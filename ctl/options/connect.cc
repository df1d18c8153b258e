#include "ctl/options/connect.h"

#include <unistd.h>

namespace taskd::ctl {

Client connect(const Context& context, const CommonOptions& common) {
  return connect(context, common, kAnswerMs);
}

Client connect(const Context& context, const CommonOptions& common, int answer_ms) {
  return Client(find_socket(common.socket, context.env), answer_ms,
                find_daemon_user(common.daemon_user, context.env));
}

Painter make_painter(const Context& context, const CommonOptions& common) {
  return make_painter(context, common, context.out.fd());
}

Painter make_painter(const Context& context, const CommonOptions& common, int fd) {
  return Painter(use_color(common.color.value_or("auto"), ::isatty(fd) == 1,
                           context.env.get("NO_COLOR"), context.env.get("TERM")));
}

}  // namespace taskd::ctl
