#include "ctl/commands/control.h"

namespace taskd::ctl {

int release_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "release",
      .path = "release",
      .act = "release",
      .done = "released",
      .help = {.usage = "[OPTIONS] ID… | FILTER",
               .paragraph =
                   R"(Lets held tasks run: at once, or when their start time comes. Ids are
all-or-nothing.)",
               .examples =
                   R"(  taskctl release 12
  taskctl release --state held --label team=web
)"}};
  return run_control(context, argv, kVerb);
}

}  // namespace taskd::ctl
