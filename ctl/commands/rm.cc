#include "ctl/commands/control.h"

namespace taskd::ctl {

int rm_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "rm",
      .path = "delete",
      .act = "remove",
      .done = "removed",
      .help = {
          .usage = "[OPTIONS] ID… | FILTER",
          .paragraph =
              R"(Removes ended tasks and their output for good. A task that has not ended is never
removed: cancel it first. Ids are all-or-nothing; removing all of them takes an
explicit filter.)",
          .examples =
              R"(  taskctl rm 12 13
  taskctl rm --state succeeded,cancelled
)"}};
  return run_control(context, argv, kVerb);
}

}  // namespace taskd::ctl
