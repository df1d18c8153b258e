#include "ctl/control.h"

namespace taskd::ctl {

int retry_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "retry",
      .path = "retry",
      .done = "retried",
      .help = {.usage = "[OPTIONS] ID… | FILTER",
               .paragraph =
                   R"(Puts ended tasks back into their queue with a fresh budget of attempts. Their
history and output are kept. Ids are all-or-nothing.)",
               .examples =
                   R"(  taskctl retry 12
  taskctl retry --state failed --since 2h
)"}};
  return run_control(context, argv, kVerb);
}

}  // namespace taskd::ctl
