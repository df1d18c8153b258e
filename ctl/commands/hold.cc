#include "ctl/commands/control.h"

namespace taskd::ctl {

int hold_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "hold",
      .path = "hold",
      .act = "hold",
      .done = "held",
      .help = {.usage = "[OPTIONS] ID… | FILTER",
               .paragraph =
                   R"(Keeps waiting tasks from starting until they are released. Ids are
all-or-nothing.)",
               .examples =
                   R"(  taskctl hold 12-15
  taskctl hold --queue nightly
)"}};
  return run_control(context, argv, kVerb);
}

}  // namespace taskd::ctl
