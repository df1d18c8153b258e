#include "ctl/commands/control.h"

namespace taskd::ctl {

int cancel_command(Context& context, const Words& argv) {
  static constexpr ControlVerb kVerb{
      .name = "cancel",
      .path = "cancel",
      .act = "cancel",
      .done = "cancelled",
      .help = {
          .usage = "[OPTIONS] ID… | FILTER",
          .paragraph =
              R"(Cancels tasks. A waiting task never starts; a running one gets SIGTERM, after its
grace SIGKILL, and counts as cancelled once its whole process tree is gone. A task
that has already ended keeps its result. Ids are all-or-nothing: if one does not
exist or has ended, nothing is changed.)",
          .examples =
              R"(  taskctl cancel 12               # one
  taskctl cancel 15-20,31         # several
  taskctl cancel last             # the newest
  taskctl cancel --queue nightly --state queued
)"}};
  return run_control(context, argv, kVerb);
}

}  // namespace taskd::ctl
